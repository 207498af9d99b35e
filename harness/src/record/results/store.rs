//! The files under `results/`.
//!
//! `results/BUILD/SUITE.json` is JSON with one test a line, sorted, so that a
//! change of one verdict is a change of one line.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{ResultSet, SCHEMA};
use crate::host::cache;
use crate::host::error::Context;
use crate::{Error, Kind, Result};

/// A file that was read.
pub type Recorded = ResultSet;

/// The folder of all results in a checkout.
pub fn folder(repo: &Path) -> PathBuf {
    repo.join("results")
}

/// Where the results of `suite` on `build` are.
pub fn path(results: &Path, build: &str, suite: &str) -> PathBuf {
    results.join(build).join(format!("{suite}.json"))
}

/// Whether results can be kept under these names: the files that they lead to are
/// in `results`, whoever wrote the names down.
///
/// # Errors
/// Usage, naming the one that is no name.
pub fn named(set: &ResultSet) -> Result<()> {
    for (what, name) in [("build", &set.build.name), ("suite", &set.suite.name)] {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_+".contains(c);
        if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.chars().all(plain)
        {
            let shown: String = name.chars().take(40).collect();
            let what = format!("{shown:?} is no name of a {what}");
            return Err(Error::new(Kind::Usage, what).hint("letters, digits, and . - _ +"));
        }
    }
    Ok(())
}

/// Reads one file; none when it does not exist.
///
/// # Errors
/// Harness, when it cannot be read; Usage, when it is damaged, or has another schema.
pub fn load(results: &Path, build: &str, suite: &str) -> Result<Option<Recorded>> {
    let path = path(results, build, suite);
    let text = match crate::host::regular::read_text(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).doing(Kind::Harness, || format!("reading {}", path.display())),
    };
    parse(&text, &path).map(Some)
}

fn parse(text: &str, path: &Path) -> Result<Recorded> {
    #[derive(serde::Deserialize)]
    struct Version {
        schema: u32,
    }
    let doing = || format!("reading {}", path.display());
    let Version { schema } = serde_json::from_str(text).doing(Kind::Usage, doing)?;
    if schema != SCHEMA {
        let what = format!("{}: it has schema {schema}, and this program reads {SCHEMA}", doing());
        return Err(
            Error::new(Kind::Usage, what).hint("measure again: cargo xtask test-svm --record")
        );
    }
    let set: Recorded = serde_json::from_str(text).doing(Kind::Usage, doing)?;
    named(&set).doing(Kind::Usage, doing)?;
    let key = |at: usize| (&set.tests[at].config, &set.tests[at].test);
    match (1..set.tests.len()).find(|&at| key(at - 1) >= key(at)) {
        None => Ok(set),
        Some(at) => {
            let row = &set.tests[at];
            let what =
                format!("{}: {}/{} is there twice or out of order", doing(), row.config, row.test);
            Err(Error::new(Kind::Usage, what))
        }
    }
}

/// Reads every file in the folder, sorted by build and suite.
///
/// # Errors
/// As [`load`].
pub fn load_all(results: &Path) -> Result<Vec<Recorded>> {
    let mut all = Vec::new();
    for build in children(results)? {
        if !results.join(&build).is_dir() {
            continue;
        }
        for file in children(&results.join(&build))? {
            if let Some(suite) = file.strip_suffix(".json") {
                all.extend(load(results, &build, suite)?);
            }
        }
    }
    Ok(all)
}

fn children(dir: &Path) -> Result<Vec<String>> {
    let doing = || format!("listing {}", dir.display());
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e).doing(Kind::Harness, doing),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.doing(Kind::Harness, doing)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Writes one file.
///
/// # Errors
/// Harness; the old file is still there then.
pub fn save(results: &Path, set: &ResultSet) -> Result<PathBuf> {
    named(set)?;
    let path = path(results, &set.build.name, &set.suite.name);
    cache::write_atomic(&path, text(set)?.as_bytes())?;
    Ok(path)
}

/// The file's text.
fn text(set: &ResultSet) -> Result<String> {
    let mut out = format!("{{\n\"schema\": {},\n", set.schema);
    out += &format!("\"build\": {},\n", json(&set.build)?);
    out += &format!("\"suite\": {},\n", json(&set.suite)?);
    out += &format!("\"configs\": {},\n", lines(&set.configs)?);
    out += &format!("\"tests\": {}\n}}\n", lines(&set.tests)?);
    Ok(out)
}

/// A JSON array with one element a line.
pub(super) fn lines<T: Serialize>(items: &[T]) -> Result<String> {
    let items = items.iter().map(json).collect::<Result<Vec<_>>>()?;
    Ok(if items.is_empty() { "[]".into() } else { format!("[\n{}\n]", items.join(",\n")) })
}

pub(super) fn json<T: Serialize>(item: &T) -> Result<String> {
    serde_json::to_string(item).doing(Kind::Harness, || "writing results".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::record::fixtures::{row, set};

    #[test]
    fn what_is_saved_is_read_again_and_a_verdict_is_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let mut one =
            set("stock-1", vec![row("a", "x", Verdict::Pass), row("b", "x", Verdict::Fail)]);
        let path = save(dir.path(), &one).unwrap();
        assert_eq!(load_all(dir.path()).unwrap(), [one.clone()]);
        let before = std::fs::read_to_string(&path).unwrap();
        one.tests[1].verdict = Verdict::Pass;
        save(dir.path(), &one).unwrap();
        let after = std::fs::read_to_string(&path).unwrap();
        let changed = before.lines().zip(after.lines()).filter(|(a, b)| a != b).count();
        assert_eq!((changed, before.lines().count()), (1, after.lines().count()));
    }

    #[test]
    fn nothing_is_saved_or_read_under_a_name_that_leads_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let results = dir.path().join("results");
        for name in ["../evil", "..", ".hidden", "a/b", "", "/tmp/evil", "a\0b", &"x".repeat(101)] {
            let (mut build, mut suite) = (set("stock-1", vec![]), set("stock-1", vec![]));
            build.build.name = name.to_owned();
            suite.suite.name = name.to_owned();
            for one in [build, suite] {
                assert_eq!(save(&results, &one).unwrap_err().kind(), Kind::Usage, "{name}");
                let written = parse(&text(&one).unwrap(), Path::new("x"));
                assert_eq!(written.unwrap_err().kind(), Kind::Usage, "{name}");
            }
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn another_schema_a_row_twice_and_no_file_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path(), "stock-1", "s").unwrap(), None);
        assert_eq!(load_all(&dir.path().join("none")).unwrap(), []);
        let twice =
            set("stock-1", vec![row("a", "x", Verdict::Pass), row("a", "x", Verdict::Fail)]);
        let path = save(dir.path(), &twice).unwrap();
        assert!(load_all(dir.path()).unwrap_err().to_string().contains("a/x is there twice"));
        std::fs::write(&path, "{\"schema\": 99, \"tests\": \"of another form\"}").unwrap();
        let error = load_all(dir.path()).unwrap_err().to_string();
        assert!(error.contains("schema 99") && error.contains("--record"), "{error}");
        std::fs::write(&path, "{\"schema\": 1").unwrap();
        assert!(load_all(dir.path()).unwrap_err().to_string().contains("stock-1"));
    }
}
