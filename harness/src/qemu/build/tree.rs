//! One work tree and one build folder for each base and flavour.
//!
//! The tree has no `.git`: the repository is the source's, the index lies beside
//! the tree. So QEMU's build sees a plain release, and moving to another commit
//! rewrites only the files that differ, which is what makes the next build an
//! incremental one.

use std::fs;
use std::path::{Path, PathBuf};

use super::flags::{DEVICES, DEVICES_FILE, Flavour};
use crate::host::cache::{Lock, io_error, write_atomic};
use crate::host::git::Git;
use crate::qemu::source::Source;
use crate::{Env, Result};

/// A tree that this run alone may change.
#[derive(Debug)]
pub struct Tree {
    home: PathBuf,
    git: Git,
    lock: Lock,
}

impl Tree {
    /// The tree of `source` and `flavour`, waiting for a run that builds in it.
    ///
    /// # Errors
    /// Harness, when it cannot be created; Interrupted while waiting.
    pub fn take(env: &Env, source: &Source, flavour: Flavour) -> Result<Self> {
        let name = format!("{}-{flavour}", source.name());
        let lock = env.cache.lock(&format!("tree-{name}"), &env.console)?;
        let home = env.cache.dir(format!("trees/{name}"))?;
        let src = home.join("src");
        fs::create_dir_all(&src).map_err(|e| io_error("creating", &src, e))?;
        let git = Git::new(&source.git).with_work_tree(src).with_index(home.join("index"));
        Ok(Tree { home, git, lock })
    }

    /// The sources.
    pub fn src(&self) -> PathBuf {
        self.home.join("src")
    }

    /// What is built from them.
    pub fn build(&self) -> PathBuf {
        self.home.join("build")
    }

    /// A log of the last run of a step.
    pub fn log(&self, step: &str) -> PathBuf {
        self.home.join(format!("{step}.log"))
    }

    /// The lock that lets this run change the tree.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// Makes the tree that of `commit`, whatever state a killed run or a curious
    /// person left it in.
    ///
    /// # Errors
    /// Harness, with what git said; the next run starts over from there.
    pub fn checkout(&self, commit: &str) -> Result<()> {
        let _ = fs::remove_file(self.home.join("index.lock"));
        if self.git.run(["read-tree", "-u", "--reset", commit]).is_err() {
            // A damaged index costs a look at every file, no more.
            let _ = fs::remove_file(self.home.join("index"));
            let _ = fs::remove_file(self.home.join("index.lock"));
            self.git.run(["read-tree", "--reset", commit])?;
        }
        // Files that were changed behind git's back; it names those that differ
        // and ends with 1, which is no failure here.
        let refresh = self.git.command(["update-index", "-q", "--refresh"]);
        crate::host::process::output(&mut { refresh })?;
        self.git.run(["checkout-index", "--all", "--force", "--quiet", "--index"])?;
        put(&self.src().join(DEVICES_FILE), DEVICES)
    }
}

/// Writes `path` unless it already says `text`, so that its time stays.
fn put(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    write_atomic(path, text.as_bytes())
}
