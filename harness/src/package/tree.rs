//! What is installed, as a folder: `bin`, `share/qemu` with the firmware, `doc`. QEMU finds its
//! firmware from its own place, so that the folder can be moved.

use std::fs;
use std::path::{Path, PathBuf};

use xshell::cmd;

use super::text::{self, Facts};
use super::version::{PROGRAM, Version};
use super::{firmware, models};
use crate::host::cache::io_error;
use crate::host::error::Context;
use crate::host::process;
use crate::qemu::build::apply;
use crate::qemu::build::patch::Patch;
use crate::qemu::build::{Built, Spec};
use crate::{Env, Kind, Result};

/// The folder, which goes when it is dropped.
#[derive(Debug)]
pub(super) struct Tree {
    scratch: tempfile::TempDir,
    /// What is known of it.
    pub(super) facts: Facts,
}

impl Tree {
    /// Collects what belongs to `built`, and asks it which features it has.
    ///
    /// # Errors
    /// Setup, when firmware cannot be had; Build, when boot ROMs do not compile; Harness.
    pub(super) fn make(env: &Env, spec: &Spec, built: &Built, version: Version) -> Result<Tree> {
        let scratch = tempfile::tempdir().doing(Kind::Harness, || "making a folder".into())?;
        let root = scratch.path().join("qemu-svm");
        let dir = |name: &str| {
            let dir = root.join(name);
            fs::create_dir_all(&dir)
                .map(|()| dir.clone())
                .map_err(|e| io_error("creating", &dir, e))
        };
        let (bin, data, doc) = (dir("bin")?, dir("share/qemu")?, dir("doc")?);
        let licences = dir("doc/licences")?;
        env.console.step("collecting firmware");
        let packages = firmware::fetched(env, &data, &licences)?;
        let patches: Vec<Patch> =
            spec.patches.iter().map(|p| Patch::read(p)).collect::<Result<_>>()?;
        let tip = apply::apply(&spec.source, &patches)?.tip().to_owned();
        let licence = firmware::built(&spec.source, &tip, &data, &licences)?;
        let program = bin.join(PROGRAM);
        let (sh, from) = (process::shell()?, &built.path);
        process::stdout(Kind::Harness, &mut cmd!(sh, "strip -o {program} {from}").into())?;
        env.console.step("asking it what it offers");
        let features = models::table(&models::ask(&program)?);
        let facts = Facts {
            version,
            series: built.series_hash.clone(),
            base: origin(spec)?,
            compiler: built.compiler.clone(),
            firmware: packages,
            features,
            licence,
        };
        let mbox: Vec<u8> = patches.iter().flat_map(|p| p.bytes.clone()).collect();
        write(&doc.join("series.mbox"), &mbox)?;
        Ok(Tree { scratch, facts })
    }

    /// The folder.
    pub(super) fn root(&self) -> PathBuf {
        self.scratch.path().join("qemu-svm")
    }

    /// The program in it.
    pub(super) fn program(&self) -> PathBuf {
        self.root().join("bin").join(PROGRAM)
    }

    /// A copy of its `part` at `to`, which must not exist.
    ///
    /// # Errors
    /// Harness, when it cannot be written.
    pub(super) fn copy(&self, part: &str, to: &Path) -> Result<()> {
        let above = to.parent().unwrap_or(to);
        fs::create_dir_all(above).map_err(|e| io_error("creating", above, e))?;
        let (sh, from) = (process::shell()?, self.root().join(part));
        process::stdout(Kind::Harness, &mut cmd!(sh, "cp -a {from} {to}").into()).map(drop)
    }

    /// The manual page.
    ///
    /// # Errors
    /// Harness, when the template is wrong.
    pub(super) fn manual(&self) -> Result<String> {
        text::manual(&self.facts)
    }
}

/// What QEMU's source is, in words.
fn origin(spec: &Spec) -> Result<String> {
    use crate::host::git::Git;
    let Some(version) = &spec.source.pinned else {
        return Ok(format!("a source of {} that is not released", spec.source.version));
    };
    let git = Git::new(&spec.source.git);
    let subject = git.run(["log", "-1", "--format=%s", &spec.source.commit])?;
    Ok(subject.strip_prefix("QEMU ").unwrap_or(version).to_owned())
}

/// Writes a file of a tree.
///
/// # Errors
/// Harness.
pub(super) fn write(path: &Path, contents: &[u8]) -> Result<()> {
    fs::write(path, contents).map_err(|e| io_error("writing", path, e))
}

/// Makes everything below `root` what all may read, and nobody but its owner change, whatever
/// this user's own files are.
///
/// # Errors
/// Harness.
pub(super) fn open_up(root: &Path) -> Result<()> {
    let sh = process::shell()?;
    process::stdout(Kind::Harness, &mut cmd!(sh, "chmod -R u=rwX,go=rX {root}").into()).map(drop)
}

#[cfg(test)]
impl Tree {
    /// A tree of another program, with these facts, and no firmware but one file.
    pub(super) fn of(program: &Path, facts: Facts) -> Tree {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("qemu-svm");
        for dir in ["bin", "share/qemu", "doc/licences"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        fs::copy(program, root.join("bin").join(PROGRAM)).unwrap();
        write(&root.join("share/qemu/bios-256k.bin"), b"bios").unwrap();
        write(&root.join("doc/licences/seabios"), b"terms").unwrap();
        write(&root.join("doc/series.mbox"), b"From: a <a@b>\n").unwrap();
        Tree { scratch, facts }
    }
}
