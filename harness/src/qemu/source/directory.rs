//! `--qemu-src DIR`: the user's checkout or unpacked release, never written to.

use std::fs;
use std::path::{Path, PathBuf};

use super::Source;
use crate::host::cache::io_error;
use crate::host::git::Git;
use crate::host::hash;
use crate::host::regular;
use crate::{Env, Error, Kind, Result};

/// Files that every QEMU tree has.
pub(crate) const MARKS: [&str; 4] = ["VERSION", "configure", "meson.build", "target/i386/cpu.h"];

/// The version of the QEMU tree `dir`.
///
/// # Errors
/// Usage, saying what is missing, when `dir` is none.
pub fn version(dir: &Path) -> Result<String> {
    let no = |why: String| {
        Error::new(Kind::Usage, format!("{} is no QEMU source tree: {why}", dir.display()))
            .hint("--qemu-src takes a QEMU checkout or an unpacked release")
    };
    if !dir.is_dir() {
        return Err(no("it is no folder".into()));
    }
    if let Some(mark) = MARKS.iter().find(|m| !dir.join(m).is_file()) {
        return Err(no(format!("it has no {mark}")));
    }
    let text = regular::read_text(&dir.join("VERSION")).map_err(|e| no(format!("VERSION: {e}")))?;
    let version = text.trim();
    let plain = |c: char| c.is_ascii_digit() || c == '.';
    if version.split('.').count() < 2 || !version.chars().all(plain) {
        return Err(no(format!("VERSION says `{version}`")));
    }
    Ok(version.to_string())
}

/// Takes the tree as it is now, changes that are not committed included, as a
/// commit in a repository of ours.
///
/// # Errors
/// Usage, when `dir` is no QEMU tree; Harness, when it cannot be read.
pub(super) fn snapshot(env: &Env, dir: &Path) -> Result<Source> {
    let version = version(dir)?;
    let dir = fs::canonicalize(dir).map_err(|e| io_error("finding", dir, e))?;
    let name = format!("dir-{}", &hash::of_parts([dir.as_os_str().as_encoded_bytes()])[..12]);
    let _lock = env.cache.lock(&format!("source-{name}"), &env.console)?;
    let home = env.cache.dir(format!("source/{name}"))?;
    let git = repository(&home, &dir)?;
    env.console.detail(format_args!("taking {} as it is", dir.display()));
    // The index remembers what it saw, so that only changed files are read
    // again; stale entries of folders that became repositories are replaced.
    git.run(["-c", "core.bigFileThreshold=1", "add", "--all", ".", ":(exclude)roms"])?;
    let mut tree = git.run(["write-tree"])?;
    let nested = nested_repositories(&git, &tree)?;
    if !nested.is_empty() {
        tree = with_nested(&git, &tree, &nested, &home, &dir)?;
    }
    let commit = git.commit_tree(&tree, None, &format!("QEMU {version} from a folder"))?;
    git.run(["update-ref", "refs/heads/base", &commit])?;
    Ok(Source { git: git.dir().into(), dir, commit, tree, version, pinned: None })
}

fn repository(home: &Path, dir: &Path) -> Result<Git> {
    let git_dir = home.join(".git");
    if !git_dir.join("HEAD").exists() {
        Git::init(home)?;
    }
    // Left by a run that was killed; the lock says that no other one is here.
    let _ = fs::remove_file(git_dir.join("index.lock"));
    Ok(Git::new(git_dir).with_work_tree(dir))
}

/// meson subprojects and submodules are repositories of their own; git records
/// only their commit.
fn nested_repositories(git: &Git, tree: &str) -> Result<Vec<String>> {
    let all = git.run(["ls-tree", "-r", "--full-tree", tree])?;
    let links = all.lines().filter(|l| l.starts_with("160000 "));
    Ok(links.filter_map(|l| l.split_once('\t')).map(|(_, path)| path.to_string()).collect())
}

/// `tree` with the contents of the `nested` folders in place of the links.
fn with_nested(
    git: &Git,
    tree: &str,
    nested: &[String],
    home: &Path,
    dir: &Path,
) -> Result<String> {
    let scratch = |name: &str| -> PathBuf { home.join(".git").join(name) };
    let whole = git.clone().with_index(scratch("whole-index"));
    whole.run(["read-tree", tree])?;
    for path in nested {
        let _ = fs::remove_file(scratch("nested-index"));
        let part = git.clone().with_work_tree(dir.join(path)).with_index(scratch("nested-index"));
        part.run(["-c", "core.bigFileThreshold=1", "add", "--all", "."])?;
        let subtree = part.run(["write-tree"])?;
        whole.run(["update-index", "--force-remove", "--", path])?;
        whole.run(["read-tree", &format!("--prefix={path}/"), &subtree])?;
    }
    whole.run(["write-tree"])
}
