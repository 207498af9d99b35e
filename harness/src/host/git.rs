//! git, with nothing of the user's configuration or environment in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::host::process;
use crate::{Error, Kind, Result};

/// One repository, seen through one work tree and one index.
#[derive(Clone, Debug)]
pub struct Git {
    dir: PathBuf,
    work_tree: Option<PathBuf>,
    index: Option<PathBuf>,
}

/// Who commits what we commit. The dates are fixed too, so that the same base
/// and patches give the same commit ids on every machine.
const IDENTITY: [(&str, &str); 3] = [
    ("GIT_COMMITTER_NAME", "qemu-svm harness"),
    ("GIT_COMMITTER_EMAIL", "harness@localhost"),
    ("GIT_COMMITTER_DATE", "2020-01-01T00:00:00Z"),
];

/// Variables that would point git elsewhere, as under `git rebase --exec`.
const FOREIGN: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_PREFIX",
    "GIT_NAMESPACE",
    "GIT_CEILING_DIRECTORIES",
];

/// A revision, or a range of them, that somebody has named: never an option of git's.
///
/// # Errors
/// Usage.
pub fn revision(text: &str) -> Result<&str> {
    let option = |end: &str| end.trim_start_matches('.').starts_with('-');
    if text.is_empty() || text.contains('\0') || text.split("..").any(option) {
        let what = format!("`{text}` is no revision, and no range of them");
        return Err(Error::new(Kind::Usage, what));
    }
    Ok(text)
}

impl Git {
    /// The repository whose git directory is `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Git { dir: dir.into(), work_tree: None, index: None }
    }

    /// The same, with this work tree.
    pub fn with_work_tree(mut self, dir: impl Into<PathBuf>) -> Self {
        self.work_tree = Some(dir.into());
        self
    }

    /// The same, with this index file.
    pub fn with_index(mut self, file: impl Into<PathBuf>) -> Self {
        self.index = Some(file.into());
        self
    }

    /// The git directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The command `git ARGS` in this repository.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut c = clean();
        c.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        c.env("GIT_DIR", &self.dir);
        if let Some(dir) = &self.work_tree {
            c.env("GIT_WORK_TREE", dir).current_dir(dir);
        }
        if let Some(file) = &self.index {
            c.env("GIT_INDEX_FILE", file);
        }
        for setting in SETTINGS {
            c.args(["-c", setting]);
        }
        c.args(args);
        c
    }

    /// Runs `git ARGS`, which must succeed, and returns its stdout.
    ///
    /// # Errors
    /// Harness, with what git said.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<String> {
        process::stdout(Kind::Harness, &mut self.command(args))
    }

    /// Makes `dir` a new, empty repository.
    ///
    /// # Errors
    /// Harness, with what git said.
    pub fn init(dir: &Path) -> Result<Self> {
        let git = Git::new(dir.join(".git")).with_work_tree(dir);
        git.run(["init", "--quiet"])?;
        Ok(git)
    }

    /// Commits every file of the work tree, ignored ones too, and returns the
    /// commit's id. Nothing is compressed twice: all goes into one pack.
    ///
    /// # Errors
    /// Harness, with what git said.
    pub fn commit_all(&self, message: &str) -> Result<String> {
        self.run(["-c", "core.bigFileThreshold=1", "add", "--all", "--force", "."])?;
        let tree = self.run(["write-tree"])?;
        let commit = self.commit_tree(&tree, None, message)?;
        self.run(["update-ref", "HEAD", &commit])?;
        Ok(commit)
    }

    /// Makes a commit of `tree` and returns its id.
    ///
    /// # Errors
    /// Harness, with what git said.
    pub fn commit_tree(&self, tree: &str, parent: Option<&str>, message: &str) -> Result<String> {
        let mut c = self.command(["commit-tree", tree, "-m", message]);
        if let Some(parent) = parent {
            c.args(["-p", parent]);
        }
        for (committer, value) in IDENTITY {
            c.env(committer.replace("COMMITTER", "AUTHOR"), value);
        }
        process::stdout(Kind::Harness, &mut c)
    }
}

/// Settings that every command runs with. Another user's folder is no danger:
/// hooks and configuration of such a folder are never run.
const SETTINGS: [&str; 6] = [
    "core.autocrlf=false",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "gc.auto=0",
    "safe.directory=*",
    "init.defaultBranch=base",
];

/// git for the network, where the user's own configuration (proxies,
/// credentials, certificates) is wanted, but no prompt.
pub fn for_network() -> Command {
    let mut c = clean();
    c.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "true").stdin(Stdio::null());
    // Give up on a server that sends nothing.
    c.args(["-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=20"]);
    c
}

fn clean() -> Command {
    let mut c = Command::new("git");
    for name in FOREIGN {
        c.env_remove(name);
    }
    c.envs(IDENTITY).env("LC_ALL", "C").env("GIT_PAGER", "cat").env("GIT_OPTIONAL_LOCKS", "0");
    c
}

#[cfg(test)]
mod revisions {
    use super::*;

    #[test]
    fn what_git_would_take_for_an_option_is_no_revision() {
        for good in ["HEAD", "v10.2.2..topic", "a...b", "x~3", "..b"] {
            assert_eq!(revision(good).unwrap(), good);
        }
        for bad in ["", "--output=x..HEAD", "a..-b", "a...-b", "-", "a\0b"] {
            assert_eq!(revision(bad).unwrap_err().kind(), Kind::Usage, "{bad:?}");
        }
    }
}
