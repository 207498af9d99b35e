//! Pages for a browser, and the folder that they are written into.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use minijinja::{AutoEscape, Environment, Value};

use crate::host::cache::{io_error, write_atomic};
use crate::host::error::Context;
use crate::host::regular;
use crate::{Error, Kind, Result};

/// A file of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its path in the report's folder.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// What every page is made with: names, and the texts of the templates.
pub(super) struct Templates(Environment<'static>);

impl Templates {
    /// # Errors
    /// Harness, when a template is wrong.
    pub(super) fn new(texts: &[(&'static str, &'static str)]) -> Result<Self> {
        let mut all = Environment::new();
        all.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        all.set_auto_escape_callback(|_| AutoEscape::Html);
        for (name, text) in texts {
            all.add_template(name, text).doing(Kind::Harness, || format!("reading {name}"))?;
        }
        Ok(Templates(all))
    }

    /// # Errors
    /// Harness, when the template wants what it is not given.
    pub(super) fn page(&self, template: &str, path: &str, values: Value) -> Result<Page> {
        let doing = || format!("writing the page {path}");
        let template = self.0.get_template(template).doing(Kind::Harness, doing)?;
        let text = template.render(values).doing(Kind::Harness, doing)?;
        Ok(Page { path: path.to_owned(), text })
    }
}

/// The list of what was written into a folder, so that the next run knows its own files.
const LIST: &str = "pages.txt";

/// Whether pages can be written into `dir`, to be asked before they are made.
///
/// # Errors
/// Usage, when `dir` holds anything that no run wrote, is no folder, or cannot be written to.
pub fn ready(dir: &Path) -> Result<()> {
    own(dir)?;
    let made = fs::create_dir_all(dir).and_then(|()| tempfile::tempfile_in(dir));
    made.map(drop).map_err(|e| {
        Error::new(Kind::Usage, format!("{} cannot be written to", dir.display())).because(e)
    })
}

/// Writes the pages into `dir`, the index last; pages of an earlier run that are no more are
/// removed. The folder is for these pages alone.
///
/// # Errors
/// As [`ready`]: nothing is touched then. Harness, when the writing fails later.
pub fn write(dir: &Path, pages: &[Page]) -> Result<()> {
    ready(dir)?;
    let old = own(dir)?;
    let new: BTreeSet<&str> = pages.iter().map(|page| page.path.as_str()).collect();
    let list = |names: BTreeSet<&str>| {
        let text = names.into_iter().map(|name| format!("{name}\n")).collect::<String>();
        write_atomic(&dir.join(LIST), text.as_bytes())
    };
    // A run that is stopped half way leaves nothing that the next one would not know.
    list(old.iter().map(String::as_str).chain(new.iter().copied()).collect())?;
    let (index, others): (Vec<&Page>, Vec<&Page>) =
        pages.iter().partition(|page| page.path == "index.html");
    others
        .into_iter()
        .chain(index)
        .try_for_each(|page| write_atomic(&dir.join(&page.path), page.text.as_bytes()))?;
    for gone in old.iter().filter(|name| !new.contains(name.as_str())) {
        let path = dir.join(gone);
        fs::remove_file(&path).map_err(|e| io_error("removing", &path, e))?;
    }
    list(new)
}

/// What an earlier run wrote into `dir`.
///
/// # Errors
/// Usage, when there is anything else.
fn own(dir: &Path) -> Result<BTreeSet<String>> {
    let no = |why: String| {
        Error::new(Kind::Usage, format!("{}: {why}", dir.display()))
            .hint("name a new or an empty folder, or one that holds nothing but such pages")
    };
    match fs::metadata(dir) {
        Ok(what) if !what.is_dir() => return Err(no("is no folder".into())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(e) => return Err(no(e.to_string())),
        Ok(_) => {}
    }
    let listed = regular::read_to_string(&dir.join(LIST)).unwrap_or_default();
    let listed: BTreeSet<&str> = listed.lines().collect();
    let mut found = BTreeSet::new();
    for path in files(dir).map_err(|e| no(e.to_string()))? {
        let inside = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned();
        if inside == LIST {
            continue;
        }
        if !listed.contains(inside.as_str()) {
            return Err(no(format!("holds {inside}, which is none of these pages")));
        }
        found.insert(inside);
    }
    Ok(found)
}

/// The files in a folder and below, and links, which are not followed.
fn files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => found.extend(files(&entry.path())?),
            false => found.push(entry.path()),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(names: &[&str]) -> Vec<Page> {
        let page = |name: &&str| Page { path: (*name).to_owned(), text: format!("{name}!") };
        names.iter().map(page).collect()
    }

    #[test]
    fn a_second_run_replaces_the_first_and_leaves_nothing_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("new/book");
        write(&dir, &pages(&["index.html", "a/x.html", "a/y.html"])).unwrap();
        write(&dir, &pages(&["index.html", "a/x.html"])).unwrap();
        let mut left = files(&dir).unwrap();
        left.sort();
        assert_eq!(left, ["a/x.html", "index.html", LIST].map(|name| dir.join(name)));
        assert_eq!(fs::read_to_string(dir.join(LIST)).unwrap(), "a/x.html\nindex.html\n");
    }

    #[test]
    fn a_folder_with_anything_else_in_it_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let mine = dir.path().join("index.html");
        fs::write(&mine, "mine").unwrap();
        let e = write(dir.path(), &pages(&["index.html"])).unwrap_err();
        assert_eq!(e.kind(), Kind::Usage);
        assert!(e.to_string().contains("holds index.html"), "{e}");
        assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
        assert_eq!(files(dir.path()).unwrap(), [mine]);
    }

    #[test]
    fn what_is_added_to_written_pages_is_not_lost() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &pages(&["index.html"])).unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        fs::write(dir.path().join("a/notes"), "mine").unwrap();
        let e = write(dir.path(), &pages(&["index.html"])).unwrap_err();
        assert!(e.to_string().contains("holds a/notes"), "{e}");
    }

    #[test]
    fn a_file_is_no_folder_and_nothing_can_be_below_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "mine").unwrap();
        for at in [file.clone(), file.join("below")] {
            let e = write(&at, &pages(&["index.html"])).unwrap_err();
            assert_eq!(e.kind(), Kind::Usage, "{e}");
        }
        let e = write(Path::new("/proc/no-such"), &pages(&["index.html"])).unwrap_err();
        assert_eq!(e.kind(), Kind::Usage, "{e}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    }
}
