//! Commits of the user's own checkout as sources, without writing to it.
//!
//! A range becomes one base, its start, and one patch a commit: everything that
//! the commit has and the base has not. So merges need no care, and moving from
//! one commit to another in the base's tree is an incremental build.

use std::fs;
use std::path::{Path, PathBuf};

use crate::host::cache::{io_error, write_atomic};
use crate::host::git::{self, Git};
use crate::host::process;
use crate::qemu::build::{Flavour, Spec};
use crate::qemu::source::{Source, directory};
use crate::row::Point;
use crate::{Env, Error, Kind, Result};

/// The commits `A..B` of a checkout, by their first parents.
#[derive(Clone, Debug)]
pub struct Range {
    /// The base: where the range begins.
    pub source: Source,
    git: Git,
    start: String,
    commits: Vec<Commit>,
}

#[derive(Clone, Debug)]
struct Commit {
    id: String,
    title: String,
    file: PathBuf,
}

impl Range {
    /// Reads a range.
    ///
    /// # Errors
    /// Usage, when `checkout` is no git checkout of QEMU, or the range is none
    /// or empty.
    pub fn read(env: &Env, checkout: &Path, range: &str) -> Result<Self> {
        git::revision(range)?;
        let git = repository(checkout)?;
        let (old, new) = range.split_once("..").unwrap_or((range, "HEAD"));
        let new = if new.is_empty() { "HEAD" } else { new.trim_start_matches('.') };
        let start = ask(&git, checkout, &["merge-base", old, new])?;
        let span = format!("{start}..{new}");
        let list =
            ask(&git, checkout, &["log", "--reverse", "--first-parent", "--format=%H %s", &span])?;
        let source = commit(env, checkout, &start)?;
        let folder = env.cache.dir("range")?;
        let commits: Vec<Commit> = list
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(id, title)| Commit {
                id: id.into(),
                title: title.into(),
                file: folder.join(format!("{}-{}.patch", &start[..12], &id[..12])),
            })
            .collect();
        if commits.is_empty() {
            let what = format!("{range} has no commits in {}", checkout.display());
            return Err(Error::new(Kind::Usage, what));
        }
        Ok(Range { source, git, start, commits })
    }

    /// The base and every commit. Their patches are not written yet.
    pub fn points(&self) -> Vec<Point> {
        let spec =
            |patches| Spec { source: self.source.clone(), patches, flavour: Flavour::Release };
        let start = &self.start[..12];
        let first = Point { name: format!("{start} (the base)"), spec: spec(Vec::new()) };
        let rest = self.commits.iter().map(|c| Point {
            name: format!("{} {}", &c.id[..12], c.title),
            spec: spec(vec![c.file.clone()]),
        });
        std::iter::once(first).chain(rest).collect()
    }

    /// Writes the patch of a point, if it has one and it is not there yet.
    ///
    /// # Errors
    /// Harness, when git or the cache fails.
    pub fn fill(&self, point: &Point) -> Result<()> {
        let Some(commit) =
            self.commits.iter().find(|c| point.spec.patches.first() == Some(&c.file))
        else {
            return Ok(());
        };
        if commit.file.is_file() {
            return Ok(());
        }
        let args = ["diff", "--binary", "--full-index", "--no-renames", "--no-ext-diff"];
        let mut c = self.git.command(args.into_iter().chain([&*self.start, &*commit.id]));
        let diff = process::output(&mut c)?;
        if !diff.status.success() {
            return Err(process::failed(Kind::Harness, &c, &diff));
        }
        let head = format!("From: range <range@localhost>\nSubject: {}\n\n---\n\n", commit.title);
        let mut text = head.into_bytes();
        text.extend(diff.stdout);
        write_atomic(&commit.file, &text)
    }
}

/// A commit of a checkout as a source. Its objects stay where they are; ours
/// are written to the cache.
///
/// # Errors
/// Usage, when there is no such commit or it is no QEMU.
pub fn commit(env: &Env, checkout: &Path, revision: &str) -> Result<Source> {
    let theirs = repository(checkout)?;
    let peeled = format!("{}^{{commit}}", git::revision(revision)?);
    let id = ask(&theirs, checkout, &["rev-parse", "--verify", "--quiet", &peeled])?;
    let tree = ask(&theirs, checkout, &["rev-parse", &format!("{id}^{{tree}}")])?;
    let file = |path: &str| ask(&theirs, checkout, &["cat-file", "blob", &format!("{id}:{path}")]);
    for mark in directory::MARKS {
        file(mark).map_err(|e| {
            Error::new(Kind::Usage, format!("{revision} is no QEMU: it has no {mark}")).because(e)
        })?;
    }
    let version = file("VERSION")?.trim().to_string();
    let home = env.cache.dir(format!("source/git-{}", &tree[..12]))?;
    let _lock = env.cache.lock(&format!("source-git-{}", &tree[..12]), &env.console)?;
    let git_dir = home.join(".git");
    let git = match git_dir.join("HEAD").exists() {
        true => Git::new(git_dir),
        false => Git::init(&home)?,
    };
    let objects = ask(&theirs, checkout, &["rev-parse", "--git-path", "objects"])?;
    let objects = fs::canonicalize(checkout.join(&objects))
        .map_err(|e| io_error("finding the objects of", checkout, e))?;
    let line = format!("{}\n", objects.display());
    write_atomic(&git.dir().join("objects/info/alternates"), line.as_bytes())?;
    let commit = git.commit_tree(&tree, None, &format!("QEMU {version}, from a checkout"))?;
    git.run(["update-ref", "refs/heads/base", &commit])?;
    let dir = fs::canonicalize(checkout).map_err(|e| io_error("finding", checkout, e))?;
    Ok(Source { git: git.dir().into(), dir, commit, tree, version, pinned: None })
}

/// The git repository of a checkout.
fn repository(checkout: &Path) -> Result<Git> {
    let dir = checkout.join(".git");
    if !dir.exists() {
        let what = format!("{} is no git checkout", checkout.display());
        return Err(Error::new(Kind::Usage, what)
            .hint("a range needs a checkout with history: --qemu-src CHECKOUT"));
    }
    let dir = fs::canonicalize(&dir).map_err(|e| io_error("finding", &dir, e))?;
    Ok(Git::new(dir))
}

/// Runs git on the user's repository; what it refuses is the user's slip.
fn ask(git: &Git, checkout: &Path, args: &[&str]) -> Result<String> {
    process::stdout(Kind::Usage, &mut git.command(args))
        .map_err(|e| Error::new(Kind::Usage, format!("asking {}", checkout.display())).because(e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qemu::build::{apply, patch::Patch};
    use crate::qemu::testing::Tree;

    /// A checkout with a merge in it, and its first commit.
    fn checkout() -> (Tree, String) {
        let files = [("configure", ""), ("meson.build", ""), ("target/i386/cpu.h", "int a;\n")];
        let tree = Tree::new(&files);
        let git = Git::new(&tree.source.git).with_work_tree(&tree.source.dir);
        let mut parent = tree.source.commit.clone();
        for n in 1..=3 {
            fs::write(tree.source.dir.join("x.c"), format!("int x{n};\n")).unwrap();
            git.run(["add", "--all"]).unwrap();
            let made = git.run(["write-tree"]).unwrap();
            parent = git.commit_tree(&made, Some(&parent), &format!("change {n}")).unwrap();
        }
        git.run(["update-ref", "HEAD", &parent]).unwrap();
        let first = tree.source.commit.clone();
        (tree, first)
    }

    #[test]
    fn a_range_is_a_base_and_a_patch_a_commit() {
        let (tree, first) = checkout();
        let range = Range::read(&tree.env, &tree.source.dir, &format!("{first}..HEAD")).unwrap();
        let points = range.points();
        let names: Vec<_> = points.iter().map(|p| p.name.split_once(' ').unwrap().1).collect();
        assert_eq!(names, ["(the base)", "change 1", "change 2", "change 3"]);
        range.fill(&points[2]).unwrap();
        let patch = Patch::read(&points[2].spec.patches[0]).unwrap();
        let applied = apply::apply(&range.source, &[patch]).unwrap();
        let git = Git::new(&range.source.git);
        assert_eq!(git.run(["show", &format!("{}:x.c", applied.tip())]).unwrap(), "int x2;");
        assert_ne!(range.source.git, tree.source.git);
        assert!(!points[1].spec.patches[0].exists());
    }

    #[test]
    fn slips_are_told_apart() {
        let (tree, first) = checkout();
        let read = |dir: &Path, range: &str| Range::read(&tree.env, dir, range).unwrap_err();
        let dir = &tree.source.dir;
        assert!(read(dir, "HEAD..HEAD").to_string().contains("no commits"));
        assert_eq!(read(dir, "nonsense..HEAD").kind(), Kind::Usage);
        let bare = tempfile::tempdir().unwrap();
        assert!(read(bare.path(), "a..b").to_string().contains("no git checkout"));
        let other = Tree::new(&[("x", "")]);
        let e = commit(&tree.env, &other.source.dir, "HEAD").unwrap_err();
        assert!(e.to_string().contains("is no QEMU: it has no configure"), "{e}");
        assert!(commit(&tree.env, dir, &first).is_ok());
    }
}
