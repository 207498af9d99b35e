//! Upstream's git tag.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::pins::{Base, Pins};
use crate::host::cache::io_error;
use crate::host::git::{self, Git};
use crate::host::process;
use crate::host::setup::python::Venv;
use crate::{Env, Error, Kind, Result};

/// For the server's first answer.
const ANSWER: Duration = Duration::from_secs(15);
/// For one tag, without history, over a slow line.
const FETCH: Duration = Duration::from_secs(15 * 60);

/// Fetches `base`'s tag into the empty `dir`, with what a release has inside
/// and a git checkout has not.
///
/// # Errors
/// Setup, when the server does not answer, or the tag is not what was pinned.
pub(super) fn tag(env: &Env, pins: &Pins, base: &Base, dir: &Path) -> Result<()> {
    let url = &pins.upstream.url;
    let reference = format!("refs/tags/{}", base.tag);
    let mut ask = git::for_network();
    ask.args(["ls-remote", "--exit-code", url, &reference]);
    let answer = process::output_within(&mut ask, ANSWER)?;
    if !answer.status.success() {
        return Err(process::failed(Kind::Setup, &ask, &answer));
    }
    env.console.step(format_args!("fetching QEMU {} ({url}, {})", base.version, base.tag));
    network(dir, &["init", "--quiet", "."])?;
    network(dir, &["fetch", "--quiet", "--depth", "1", url, &reference])?;
    network(dir, &["checkout", "--quiet", "FETCH_HEAD"])?;
    check(base, dir)?;
    for module in &base.submodules {
        network(dir, &["submodule", "--quiet", "update", "--init", "--depth", "1", module])?;
    }
    if !base.wraps.is_empty() {
        let mut meson = Venv::with_meson(env, &base.meson)?.meson();
        meson.args(["subprojects", "download"]).args(&base.wraps).current_dir(dir);
        let out = process::output_within(&mut meson, FETCH)?;
        if !out.status.success() {
            return Err(process::failed(Kind::Setup, &meson, &out));
        }
    }
    drop_git_folders(base, dir)
}

fn network(dir: &Path, args: &[&str]) -> Result<()> {
    let mut c = git::for_network();
    let out = process::output_within(c.args(args).current_dir(dir), FETCH)?;
    if out.status.success() { Ok(()) } else { Err(process::failed(Kind::Setup, &c, &out)) }
}

/// A tag can be moved; the folders that matter must be the pinned ones.
fn check(base: &Base, dir: &Path) -> Result<()> {
    let git = Git::new(dir.join(".git"));
    for (folder, pinned) in &base.trees {
        let found = git.run(["rev-parse", &format!("FETCH_HEAD:{folder}")])?;
        if found != *pinned {
            return Err(Error::new(
                Kind::Setup,
                format!(
                    "{folder} of tag {} is not the pinned one\n  expected tree {pinned}\n  found    \
                     tree {found}",
                    base.tag
                ),
            ));
        }
    }
    Ok(())
}

/// What is fetched becomes part of one commit, so that nothing in it may be a
/// repository of its own.
fn drop_git_folders(base: &Base, dir: &Path) -> Result<()> {
    let wraps = base.wraps.iter().map(|w| format!("subprojects/{w}/.git"));
    let modules = base.submodules.iter().map(|m| format!("{m}/.git"));
    for nested in wraps.chain(modules).chain([".git".into()]).map(|p| dir.join(p)) {
        let removed = match fs::symlink_metadata(&nested) {
            Ok(m) if m.is_dir() => fs::remove_dir_all(&nested),
            Ok(_) => fs::remove_file(&nested),
            Err(_) => Ok(()),
        };
        removed.map_err(|e| io_error("removing", &nested, e))?;
    }
    Ok(())
}
