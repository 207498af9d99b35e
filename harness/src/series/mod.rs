//! The series of this repository: patch files and what each of them must do.
//!
//! `series.toml` lies beside the patches and has one `[[patch]]` a file, in
//! order:
//!
//! ```toml
//! [[patch]]
//! file = "0001-target-i386-svm-….patch"
//! title = "target/i386: svm: …"            # the mail's subject, without prefix
//! part = "fixes"                           # where a part begins; else left out
//! features = ["intercepts"]                # what it is about
//! rules = ["intercept.cr3-read"]           # the model's rules that it is about
//! flips = ["kut/svm/cr3_read_intercept"]   # tests that pass from here on
//! reason = "…"                             # why it flips nothing
//! ```

pub mod claim;
mod cover;
pub mod export;
pub mod lint;
pub mod record;
mod revision;
pub mod verify;
pub mod write;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use svm_model::Feature;

use crate::host::error::Context;
use crate::host::regular;
use crate::mail::Mail;
use crate::qemu::build::{Flavour, Spec, patch};
use crate::qemu::source::Source;
use crate::row::{Point, along};
use crate::{Error, Kind, Result};
use claim::Claim;

/// The file that describes a series.
pub const FILE: &str = "series.toml";

/// A series, read.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its folder.
    pub dir: PathBuf,
    /// Its patches, in order.
    pub patches: Vec<Patch>,
}

/// A patch, as a mail and as an entry.
#[derive(Clone, Debug)]
pub struct Patch {
    /// The file.
    pub path: PathBuf,
    /// The file's contents.
    pub mail: Mail,
    /// What `series.toml` says about it.
    pub entry: Entry,
}

/// One `[[patch]]` of `series.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The file's name.
    pub file: String,
    /// The commit's title.
    pub title: String,
    /// The name of the part of the series that begins with it.
    #[serde(default)]
    pub part: Option<String>,
    /// What it is about; none for documentation and refactoring.
    pub features: Vec<Feature>,
    /// The ids of the rules that it is about.
    #[serde(default)]
    pub rules: Vec<String>,
    /// The tests that do not pass before it, and pass with it.
    pub flips: Vec<Claim>,
    /// The tests that pass before it, and rightly fail with it: what they want is not what the
    /// manual says. `results/known-failures.toml` has the reason.
    #[serde(default)]
    pub fails: Vec<Claim>,
    /// Why it flips nothing; or a remark.
    #[serde(default)]
    pub reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    patch: Vec<Entry>,
}

impl Entry {
    /// Every test that it names.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.flips.iter().chain(&self.fails)
    }
}

impl Series {
    /// Reads the series in `dir`.
    ///
    /// # Errors
    /// Usage, naming everything that is out of step between `series.toml` and
    /// the patch files, or a patch that cannot be read.
    pub fn load(dir: &Path) -> Result<Self> {
        let name = dir.join(FILE);
        let text = regular::read_to_string(&name).map_err(|e| {
            Error::new(Kind::Usage, format!("reading {}", name.display()))
                .because(e)
                .hint("a series is a folder of `git format-patch` files and their series.toml")
        })?;
        let entries = parse(&text).doing(Kind::Usage, || format!("reading {}", name.display()))?;
        let files = patch::series(dir)?;
        let listed: Vec<String> = files.iter().filter_map(|f| file_name(f)).collect();
        let faults = out_of_step(&entries, &listed);
        if !faults.is_empty() {
            let list = faults.join("\n  ");
            let what = format!("{} and the patch files are out of step:\n  {list}", name.display());
            return Err(Error::new(Kind::Usage, what));
        }
        let patches = files.into_iter().zip(entries).map(|(path, entry)| {
            let bytes = patch::Patch::read(&path)?.bytes;
            let mail = Mail::parse(&bytes)
                .doing(Kind::Usage, || format!("reading the patch {}", path.display()))?;
            Ok(Patch { path, mail, entry })
        });
        Ok(Series { dir: dir.into(), patches: patches.collect::<Result<_>>()? })
    }

    /// Its points on `source`: stock, and behind each patch.
    pub fn points(&self, source: Source) -> Vec<Point> {
        let base = format!("stock {}", source.version);
        along(&Spec { source, patches: self.paths(), flavour: Flavour::Release }, &base)
    }

    /// The paths of its patches, in order.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.patches.iter().map(|p| p.path.clone()).collect()
    }
}

fn parse(text: &str) -> Result<Vec<Entry>, toml::de::Error> {
    toml::from_str::<File>(text).map(|file| file.patch)
}

/// What differs between the entries and the folder, in words.
fn out_of_step(entries: &[Entry], files: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for entry in entries {
        if !seen.insert(&entry.file) {
            faults.push(format!("{} is listed twice", entry.file));
        }
        if !files.contains(&entry.file) {
            faults.push(format!("{} is listed, but there is no such file", entry.file));
        }
    }
    let unlisted = files.iter().filter(|f| !seen.contains(f));
    faults.extend(unlisted.map(|f| format!("{f} is there, but not listed")));
    let order = entries.iter().map(|e| &e.file);
    if faults.is_empty() && !order.eq(files) {
        faults.push("the entries are in another order than the files".into());
    }
    faults
}

fn file_name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A patch that puts a line into `path`, with a message that lint accepts.
    pub(crate) fn patch_text(title: &str, path: &str) -> String {
        format!(
            "From {} Mon Sep 17 00:00:00 2001\nFrom: A <a@example.org>\n\
             Date: Mon, 1 Jan 2024 00:00:00 +0000\nSubject: [PATCH] {title}\n\n\
             It exits (AMD64 APM vol. 2, section 15.9).\n\nQEMU did not.\n\n\
             diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n\
             @@ -1 +1,2 @@\n int a;\n+int b;\n",
            "0".repeat(40)
        )
    }

    pub(crate) fn write_series(dir: &Path, toml: &str, patches: &[(&str, &str)]) {
        std::fs::write(dir.join(FILE), toml).unwrap();
        for (name, text) in patches {
            std::fs::write(dir.join(name), text).unwrap();
        }
    }

    pub(crate) fn entry(file: &str, title: &str) -> String {
        format!(
            "[[patch]]\nfile = \"{file}\"\ntitle = \"{title}\"\nfeatures = [\"npt\"]\n\
             flips = [\"kut/svm/a\"]\n"
        )
    }

    fn load_error(toml: &str, patches: &[&str]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let text = patch_text("x: y", "x.c");
        let patches: Vec<_> = patches.iter().map(|name| (*name, text.as_str())).collect();
        write_series(dir.path(), toml, &patches);
        let e = Series::load(dir.path()).unwrap_err();
        assert_eq!(e.kind(), Kind::Usage);
        e.to_string()
    }

    #[test]
    fn a_series_is_read_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let toml = entry("0001-a.patch", "x: a") + &entry("0002-b.patch", "x: b");
        let (a, b) = (patch_text("x: a", "x.c"), patch_text("x: b", "y.c"));
        write_series(dir.path(), &toml, &[("0001-a.patch", &a), ("0002-b.patch", &b)]);
        let series = Series::load(dir.path()).unwrap();
        let titles: Vec<_> = series.patches.iter().map(|p| p.mail.subject.title.as_str()).collect();
        assert_eq!(titles, ["x: a", "x: b"]);
        assert_eq!(series.patches[1].mail.paths(), ["y.c"]);
        assert_eq!(series.patches[0].entry.features, [Feature::Npt]);
    }

    #[test]
    fn everything_out_of_step_is_named() {
        let toml =
            entry("0001-a.patch", "t") + &entry("0001-a.patch", "t") + &entry("0003-c.patch", "t");
        let e = load_error(&toml, &["0001-a.patch", "0002-b.patch"]);
        assert!(e.contains("0001-a.patch is listed twice"), "{e}");
        assert!(e.contains("0003-c.patch is listed, but there is no such file"), "{e}");
        assert!(e.contains("0002-b.patch is there, but not listed"), "{e}");
        let toml = entry("0002-b.patch", "t") + &entry("0001-a.patch", "t");
        let e = load_error(&toml, &["0001-a.patch", "0002-b.patch"]);
        assert!(e.contains("another order"), "{e}");
    }

    #[test]
    fn stray_keys_missing_keys_and_strangers_are_refused_with_their_line() {
        let good = entry("0001-a.patch", "t");
        let e = load_error(&good.replace("title", "titel"), &["0001-a.patch"]);
        assert!(e.contains("unknown field `titel`") && e.contains("line 3"), "{e}");
        let e = load_error(&good.replace("title = \"t\"\n", ""), &["0001-a.patch"]);
        assert!(e.contains("missing field `title`"), "{e}");
        let e = load_error(&good.replace("npt", "ntp"), &["0001-a.patch"]);
        assert!(e.contains("unknown variant `ntp`"), "{e}");
        let e = load_error(&good.replace("kut/svm/a", "kvm/svm/a"), &["0001-a.patch"]);
        assert!(e.contains("kvm/svm/a") && e.contains("kut/"), "{e}");
        let e = load_error("", &[]);
        assert!(e.contains("no *.patch"), "{e}");
    }
}
