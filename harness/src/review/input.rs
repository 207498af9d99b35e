//! Where a series comes from: an mbox, a folder of patches, or a git range.

use std::fs;
use std::path::{Path, PathBuf};

use crate::host::cache::io_error;
use crate::host::git::{self, Git};
use crate::host::{process, regular};
use crate::mail::{self, Mail};
use crate::{Error, Kind, Result};

/// More mails than any series and its discussion have.
const MOST_MAILS: usize = 1000;
/// Bytes of the largest file of mails.
const MOST_BYTES: u64 = 64 << 20;

/// What was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file with one mail or many.
    Mbox(PathBuf),
    /// A folder of `*.patch`, `*.eml` or `*.mbox` files.
    Folder(PathBuf),
    /// `A..B` in a git checkout.
    Range {
        /// The checkout.
        checkout: PathBuf,
        /// The range.
        range: String,
    },
}

/// Mails as they were found, and what was wrong with those that could not be
/// read.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The mails, in the order of the input.
    pub mails: Vec<Mail>,
    /// Mails that cannot be read, in words.
    pub damaged: Vec<String>,
    /// Remarks, in words.
    pub notes: Vec<String>,
}

impl Input {
    /// Takes `text` for a file, a folder or, with `checkout`, a range.
    ///
    /// # Errors
    /// Usage, when it is none of them.
    pub fn parse(text: &str, checkout: Option<&Path>) -> Result<Self> {
        let path = Path::new(text);
        if path.is_dir() {
            return Ok(Input::Folder(path.into()));
        }
        if path.is_file() {
            return Ok(Input::Mbox(path.into()));
        }
        if path.exists() {
            let what = format!("{text} is no regular file, and no folder");
            return Err(Error::new(Kind::Usage, what));
        }
        let none = format!("`{text}` is no file, no folder and no git range");
        if !text.contains("..") {
            return Err(Error::new(Kind::Usage, none)
                .hint("give an mbox, a folder of patches, or A..B with --checkout DIR"));
        }
        match checkout {
            Some(dir) => {
                let range = git::revision(text)?.into();
                Ok(Input::Range { checkout: dir.into(), range })
            }
            None => Err(Error::new(Kind::Usage, format!("`{text}` looks like a git range"))
                .hint("name the checkout that has it with --checkout DIR")),
        }
    }

    /// How the input is called in a report: without the folders of this machine.
    pub fn name(&self) -> String {
        match self {
            Input::Mbox(path) | Input::Folder(path) => {
                let whole = || path.display().to_string();
                path.file_name().map_or_else(whole, |n| n.to_string_lossy().into_owned())
            }
            Input::Range { range, .. } => range.clone(),
        }
    }

    /// Reads every mail.
    ///
    /// # Errors
    /// Usage, when nothing can be read or there is no patch in it.
    pub fn read(&self) -> Result<Found> {
        let mut found = Found::default();
        match self {
            Input::Mbox(path) => take(&mut found, &read(path)?),
            Input::Folder(dir) => {
                for file in mail_files(dir)? {
                    take(&mut found, &read(&file)?);
                }
            }
            Input::Range { checkout, range } => {
                let git = Git::new(checkout.join(".git"));
                let merges = git.run(["rev-list", "--merges", range]).map_err(|e| {
                    let what = format!("{range} is no range of commits in {}", checkout.display());
                    Error::new(Kind::Usage, what).because(e)
                })?;
                let merges = merges.lines().count();
                if merges > 0 {
                    found.notes.push(format!("{range} has {merges} merges, which are left out"));
                }
                let args = ["format-patch", "--stdout", "--no-signature", "--full-index"];
                let args = args.into_iter().chain(["--binary", "--no-renames", range]);
                // Not `run`: what it trims may be the end of the last diff.
                let mut c = git.command(args);
                let out = process::output(&mut c)?;
                if !out.status.success() {
                    return Err(process::failed(Kind::Usage, &c, &out));
                }
                take(&mut found, &out.stdout);
            }
        }
        match found.mails.len() + found.damaged.len() {
            n if n > MOST_MAILS => return Err(too_many(&self.name(), n)),
            _ => {}
        }
        if found.mails.iter().any(Mail::is_patch) || !found.damaged.is_empty() {
            return Ok(found);
        }
        let what = format!("reading {}: there is no patch in it", self.name());
        Err(Error::new(Kind::Usage, what))
    }
}

/// Takes in a file of mails; those that are too many are counted, not read.
fn take(found: &mut Found, bytes: &[u8]) {
    for text in mail::split(bytes) {
        if found.mails.len() + found.damaged.len() > MOST_MAILS {
            found.damaged.push(String::new());
            continue;
        }
        match Mail::parse(&text) {
            Ok(mail) => found.mails.push(mail),
            Err(e) => found.damaged.push(e.to_string()),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    regular::read_at_most(path, MOST_BYTES)
        .map_err(|e| Error::new(Kind::Usage, format!("reading {}", path.display())).because(e))
}

/// The mails of a folder by name; a quilt `series` file gives the order if
/// there is one.
fn mail_files(dir: &Path) -> Result<Vec<PathBuf>> {
    if let Ok(list) = regular::read_text(&dir.join("series")) {
        let names = list.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
        return few(dir, names.map(|n| dir.join(n)).collect());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(|e| io_error("listing", dir, e))? {
        let path = entry.map_err(|e| io_error("listing", dir, e))?.path();
        let known = ["patch", "eml", "mbox", "mbx"];
        if path.extension().is_some_and(|x| known.iter().any(|k| x == *k)) {
            files.push(path);
        }
    }
    files.sort();
    few(dir, files)
}

/// The files, unless they are more than a series has mails.
fn few(dir: &Path, files: Vec<PathBuf>) -> Result<Vec<PathBuf>> {
    match files.len() {
        n if n > MOST_MAILS => Err(too_many(&dir.display().to_string(), n)),
        _ => Ok(files),
    }
}

fn too_many(name: &str, mails: usize) -> Error {
    let what = format!("reading {name}: {mails} mails are too many: at most {MOST_MAILS}");
    Error::new(Kind::Usage, what).hint("give the mails of one series, for example from `b4 am`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_a_file_a_folder_or_a_range_with_a_checkout() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().to_str().unwrap();
        assert_eq!(Input::parse(text, None).unwrap(), Input::Folder(dir.path().into()));
        let e = Input::parse("a..b", None).unwrap_err();
        assert!(e.to_string().contains("--checkout"), "{e}");
        assert!(Input::parse("a..b", Some(dir.path())).is_ok());
        let e = Input::parse("nothing.mbox", None).unwrap_err();
        assert_eq!(e.kind(), Kind::Usage);
    }

    #[test]
    fn an_input_without_a_patch_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("thanks.mbox");
        fs::write(&file, "From: a\nSubject: Re: [PATCH] x\n\nThanks.\n").unwrap();
        let e = Input::Mbox(file).read().unwrap_err();
        assert!(e.to_string().contains("thanks.mbox: there is no patch in it"), "{e}");
        let e = Input::Folder(dir.path().join("none")).read().unwrap_err();
        assert_eq!(e.kind(), Kind::Harness);
    }
}
