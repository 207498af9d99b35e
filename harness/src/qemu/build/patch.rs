//! Patch files: found, read, identified by what they change.

use std::fs;
use std::path::{Path, PathBuf};

use crate::host::cache::io_error;
use crate::host::hash;
use crate::host::regular;
use crate::{Error, Kind, Result};

/// One patch file.
#[derive(Clone, Debug)]
pub struct Patch {
    /// The file.
    pub path: PathBuf,
    /// Its contents; patches need not be UTF-8.
    pub bytes: Vec<u8>,
}

impl Patch {
    /// Reads one file.
    ///
    /// # Errors
    /// Usage, when it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = regular::read(path).map_err(|e| {
            Error::new(Kind::Usage, format!("reading the patch {}", path.display())).because(e)
        })?;
        Ok(Patch { path: path.into(), bytes })
    }

    /// The file's name.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What it changes: the diff without the message, the `index` lines and the
    /// mail signature, so that a reworded message is the same change.
    fn change(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let mut lines = text.lines().peekable();
        let starts = |l: &str| l.starts_with("diff --git ") || l.starts_with("--- a/");
        while lines.next_if(|l| !starts(l)).is_some() {}
        let diff = lines.take_while(|l| *l != "-- ").filter(|l| !l.starts_with("index "));
        diff.collect::<Vec<_>>().join("\n")
    }
}

/// The `*.patch` files of `dir`, in the order of their names.
///
/// # Errors
/// Usage, when the folder does not exist or holds none.
pub fn series(dir: &Path) -> Result<Vec<PathBuf>> {
    let no_series = |why: &str| {
        Error::new(Kind::Usage, format!("{} is no series: {why}", dir.display()))
            .hint("a series is a folder of `git format-patch` files")
    };
    if !dir.is_dir() {
        return Err(no_series("it is no folder"));
    }
    let entries = fs::read_dir(dir).map_err(|e| io_error("reading", dir, e))?;
    let mut patches: Vec<PathBuf> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|x| x == "patch"))
        .collect();
    patches.sort();
    if patches.is_empty() {
        return Err(no_series("it has no *.patch"));
    }
    Ok(patches)
}

/// What identifies a list of patches: the hash of what each of them changes.
/// Of no patches, `stock`.
pub fn series_hash(patches: &[Patch]) -> String {
    if patches.is_empty() {
        return "stock".into();
    }
    hash::of_parts(patches.iter().map(|p| p.change()))[..16].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(text: &str) -> Patch {
        Patch { path: "x.patch".into(), bytes: text.into() }
    }

    const DIFF: &str =
        "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";

    #[test]
    fn only_a_change_of_the_diff_changes_the_hash() {
        let of = |text: &str| series_hash(&[patch(text)]);
        let plain = of(&format!("Subject: one\n---\n{DIFF}-- \n2.39.5\n"));
        assert_eq!(plain, of(&format!("Subject: two\n---\n{DIFF}-- \n2.50\n")));
        assert_eq!(plain, of(&DIFF.replace("1..2", "3..4")));
        assert_ne!(plain, of(&DIFF.replace("+b", "+c")));
        assert_eq!(series_hash(&[]), "stock");
    }

    #[test]
    fn a_folder_without_patches_is_no_series() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(series(dir.path()).unwrap_err().kind(), Kind::Usage);
        for name in ["0002-b.patch", "0001-a.patch", "series.toml"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let names: Vec<_> =
            series(dir.path()).unwrap().iter().map(|p| p.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["0001-a.patch", "0002-b.patch"]);
    }
}
