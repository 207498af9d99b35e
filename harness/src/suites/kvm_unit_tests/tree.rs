//! Where the user's tree is, and which version of the suite it holds.

use std::path::{Path, PathBuf};

use xshell::cmd;

use crate::host::error::Context;
use crate::host::process;
use crate::host::regular;
use crate::suites::Options;
use crate::{Error, Kind, Result};

/// The environment variable that names the tree.
pub(super) const VARIABLE: &str = "KVM_UNIT_TESTS";

/// Bytes of the largest file that is read of it.
const LARGEST: u64 = 16 << 20;

/// A built tree.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Its root, absolute.
    pub root: PathBuf,
    /// The commit, with `+dirty` where tracked files differ from it.
    pub version: String,
}

impl Tree {
    /// The tree that a flag or the environment names, or a sibling checkout.
    ///
    /// # Errors
    /// Usage, when the one that was named is no tree or is not built. A sibling
    /// that is not built is an error too: it is meant, and it is one command
    /// away.
    pub fn locate(options: &Options) -> Result<Option<Self>> {
        if let Some(dir) = &options.kvm_unit_tests {
            return Self::open(dir).map(Some);
        }
        let sibling = options.checkout.join("../kvm-unit-tests");
        if sibling.join("x86/unittests.cfg").is_file() {
            return Self::open(&sibling).map(Some);
        }
        Ok(None)
    }

    /// Checks that `dir` is a tree and that it is built.
    ///
    /// # Errors
    /// Usage, otherwise.
    pub fn open(dir: &Path) -> Result<Self> {
        let using = || format!("using {} as a kvm-unit-tests tree", dir.display());
        let root = dir.canonicalize().doing(Kind::Usage, using)?;
        let refuse = |why: &str| Error::new(Kind::Usage, format!("{}: {why}", using()));
        if !root.join("x86/unittests.cfg").is_file() {
            return Err(refuse("there is no x86/unittests.cfg in it")
                .hint(format!("point --kvm-unit-tests or {VARIABLE} at a checkout of it")));
        }
        if !root.join("config.mak").is_file() || !root.join("x86/svm.flat").is_file() {
            let build = format!("build it: cd {} && ./configure && make", root.display());
            return Err(refuse("it is not built: there is no x86/svm.flat").hint(build));
        }
        let version = version(&root);
        Ok(Tree { root, version })
    }

    /// The architecture that it was built for; `x86_64` where it does not say.
    pub fn arch(&self) -> String {
        let config = self.read("config.mak").unwrap_or_default();
        let arch = config.lines().find_map(|line| line.strip_prefix("ARCH="));
        arch.map_or_else(|| "x86_64".into(), str::to_owned)
    }

    /// The text of a file in it.
    ///
    /// # Errors
    /// Usage, when it cannot be read.
    pub fn read(&self, relative: &str) -> Result<String> {
        let path = self.root.join(relative);
        let bytes = regular::read_at_most(&path, LARGEST);
        let bytes = bytes.doing(Kind::Usage, || format!("reading {}", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// What git says; without git, what the build wrote down.
fn version(root: &Path) -> String {
    let git = |args: &[&str]| {
        let sh = process::shell().ok()?;
        process::stdout(Kind::Setup, &mut cmd!(sh, "git -C {root} {args...}").into()).ok()
    };
    // A release tarball inside another checkout must not take that one's commit.
    let own = git(&["rev-parse", "--show-toplevel"]).is_some_and(|top| Path::new(&top) == root);
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]).filter(|_| own) {
        let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
        let clean = changed.is_some_and(|c| c.is_empty());
        return if clean { commit } else { format!("{commit}+dirty") };
    }
    let head = regular::read_text(&root.join("build-head")).unwrap_or_default();
    let head = head.trim();
    if head.is_empty() { "unknown".into() } else { head.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("x86")).unwrap();
        for file in files {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        dir
    }

    fn refusal(dir: &Path) -> String {
        let error = Tree::open(dir).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        error.to_string()
    }

    #[test]
    fn a_directory_that_is_no_tree_or_not_built_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        assert!(refusal(&dir.path().join("none")).contains("No such file"));
        assert!(refusal(dir.path()).contains("no x86/unittests.cfg"));
        let bare = tree(&["x86/unittests.cfg"]);
        assert!(refusal(bare.path()).contains("./configure && make"));
        let configured = tree(&["x86/unittests.cfg", "config.mak"]);
        assert!(refusal(configured.path()).contains("not built"));
    }

    #[test]
    fn a_built_tree_without_git_takes_the_version_that_its_build_wrote() {
        let dir = tree(&["x86/unittests.cfg", "config.mak", "x86/svm.flat"]);
        assert_eq!(Tree::open(dir.path()).unwrap().version, "unknown");
        std::fs::write(dir.path().join("build-head"), "1a2b3c4d\n").unwrap();
        assert_eq!(Tree::open(dir.path()).unwrap().version, "1a2b3c4d");
    }

    #[test]
    fn a_sibling_checkout_is_found_and_without_one_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let here = dir.path().join("project");
        std::fs::create_dir(&here).unwrap();
        let options = Options { checkout: here, ..Options::default() };
        assert!(Tree::locate(&options).unwrap().is_none());
        std::fs::create_dir_all(dir.path().join("kvm-unit-tests/x86")).unwrap();
        std::fs::write(dir.path().join("kvm-unit-tests/x86/unittests.cfg"), "").unwrap();
        assert!(Tree::locate(&options).unwrap_err().to_string().contains("not built"));
    }
}
