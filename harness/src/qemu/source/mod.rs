//! A QEMU source tree as a git repository whose first commit is the base.
//!
//! In order: the user's own tree, the cache, upstream's git tag, the
//! distribution's source package.

pub mod archive;
pub mod directory;
pub mod machine;
pub mod pins;

mod apt;
mod unpack;
mod upstream;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::host::cache::{io_error, write_atomic};
use crate::host::error::Context;
use crate::host::git::Git;
use crate::host::setup::{self, Need};
use crate::{Env, Kind, Result};
use pins::{Base, Pins};

/// Which source is wanted.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// A pinned version; without one, the default.
    pub base: Option<String>,
    /// The user's own tree, instead of a pinned version.
    pub dir: Option<PathBuf>,
}

/// A QEMU source tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Source {
    /// The git directory that has the base, and to which patches are added.
    pub git: PathBuf,
    /// A folder with the base's files.
    pub dir: PathBuf,
    /// The base's commit.
    pub commit: String,
    /// The base's tree, which identifies its contents.
    pub tree: String,
    /// What its `VERSION` says, such as `10.2.2`.
    pub version: String,
    /// The pinned version that it is, if any.
    pub pinned: Option<String>,
}

impl Source {
    /// The first two numbers of the version: the series' name.
    pub fn major_minor(&self) -> String {
        self.version.split('.').take(2).collect::<Vec<_>>().join(".")
    }

    /// The name of this base's trees in the cache.
    pub fn name(&self) -> String {
        let id = &self.tree[..12];
        format!("{}-{id}", self.version)
    }
}

/// Gets the source: from the cache, or from wherever it can be had.
///
/// # Errors
/// Usage, for a folder that is no QEMU tree or an unknown version; Setup, when
/// it cannot be fetched or is not what was pinned; Harness, when the cache
/// cannot be written.
pub fn obtain(env: &Env, request: &Request) -> Result<Source> {
    if let Some(dir) = &request.dir {
        directory::version(dir)?;
        setup::require(env, &[Need::Source])?;
        return directory::snapshot(env, dir);
    }
    let pins = Pins::builtin()?;
    pinned(env, &pins, request.base.as_deref())
}

/// The version of what `request` names; fetches nothing.
///
/// # Errors
/// Usage, for a folder that is no QEMU tree or an unknown version.
pub fn version(request: &Request) -> Result<String> {
    match &request.dir {
        Some(dir) => directory::version(dir),
        None => Ok(Pins::builtin()?.base(request.base.as_deref())?.version.clone()),
    }
}

/// [`obtain`] for a version of `pins`.
///
/// # Errors
/// As [`obtain`].
pub fn pinned(env: &Env, pins: &Pins, version: Option<&str>) -> Result<Source> {
    let base = pins.base(version)?;
    let home = env.cache.path(format!("source/{}", base.version));
    if let Some(source) = cached(&home) {
        return Ok(source);
    }
    let _lock = env.cache.lock(&format!("source-{}", base.version), &env.console)?;
    // Another run may have finished it while we waited.
    if let Some(source) = cached(&home) {
        return Ok(source);
    }
    setup::require(env, &[Need::Source])?;
    let fresh = env.cache.dir("source")?.join(format!(".new-{}", base.version));
    remove(&fresh)?;
    let origin = fill(env, pins, base, &fresh)?;
    let source = commit(base, &fresh, &home, &origin)?;
    remove(&home)?;
    fs::rename(&fresh, &home).map_err(|e| io_error("writing", &home, e))?;
    env.console.note(format_args!("QEMU {} is in {}", base.version, home.display()));
    Ok(source)
}

/// A pinned version that is in the cache already.
pub fn known(env: &Env, version: &str) -> Option<Source> {
    cached(&env.cache.path(format!("source/{version}")))
}

/// What the record of a finished source says, if it is one.
fn cached(home: &Path) -> Option<Source> {
    let record = fs::read(home.join(".git").join(RECORD)).ok()?;
    let source: Source = serde_json::from_slice(&record).ok()?;
    // A cache that was moved has its record with it.
    Some(Source { git: home.join(".git"), dir: home.into(), ..source })
}

const RECORD: &str = "qemu-svm.json";

/// Fills `dir` with the base's files and says where they came from.
fn fill(env: &Env, pins: &Pins, base: &Base, dir: &Path) -> Result<String> {
    create(dir)?;
    let Err(no_tag) = upstream::tag(env, pins, base, dir) else {
        return Ok(format!("git tag {}", base.tag));
    };
    crate::host::interrupt::check()?;
    env.console.detail(format_args!("upstream: {no_tag}"));
    remove(dir)?;
    create(dir)?;
    let archives = archive::files(env, &pins.debian, base)
        .map_err(|e| e.hint(format!("and before that, upstream's tag: {no_tag}")))?;
    env.console.step(format_args!("unpacking QEMU {}", base.version));
    unpack::package(base, &archives, dir)?;
    Ok(format!("source package {}", base.package))
}

fn commit(base: &Base, dir: &Path, home: &Path, origin: &str) -> Result<Source> {
    let git = Git::init(dir)?;
    let commit = git.commit_all(&format!("QEMU {}, {origin}", base.version))?;
    git.run(["update-ref", "refs/heads/base", &commit])?;
    let tree = git.run(["rev-parse", &format!("{commit}^{{tree}}")])?;
    let source = Source {
        git: home.join(".git"),
        dir: home.into(),
        commit,
        tree,
        version: directory::version(dir)?,
        pinned: Some(base.version.clone()),
    };
    let record = serde_json::to_vec_pretty(&source)
        .doing(Kind::Harness, || "writing the source's record".into())?;
    write_atomic(&dir.join(".git").join(RECORD), &record)?;
    Ok(source)
}

fn create(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(|e| io_error("creating", dir, e))
}

fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io_error("removing", dir, e)),
        _ => Ok(()),
    }
}
