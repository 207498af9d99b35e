//! Another of QEMU's own targets, such as a qtest, built in the same tree.

use std::fs;
use std::path::PathBuf;

use super::patch::Patch;
use super::store::copy_itself;
use super::{Spec, apply, compiler, configure_args, diagnose, ninja, require, tree_for};
use crate::host::cache::io_error;
use crate::host::hash;
use crate::host::sandbox::Sandbox;
use crate::{Env, Error, Kind, Result};

/// Builds ninja's `target` at `spec`, in a sandbox if one is given, or finds it built, and returns a copy of
/// it that later builds leave alone.
///
/// # Errors
/// As [`super::build`]; Build also when the tree has no such target.
pub fn aside(env: &Env, spec: &Spec, target: &str, sandbox: Option<&Sandbox>) -> Result<PathBuf> {
    require(env, spec)?;
    let patches: Vec<Patch> = spec.patches.iter().map(|p| Patch::read(p)).collect::<Result<_>>()?;
    let applied = apply::apply(&spec.source, &patches)?;
    let compiler = compiler()?;
    let made_of = [applied.tip(), target, spec.flavour.name(), &compiler.version];
    let store = if sandbox.is_some() { "aside-apart" } else { "aside" };
    let kept = env.cache.dir(store)?.join(&hash::of_parts(made_of)[..16]);
    if kept.is_file() {
        return Ok(kept);
    }
    let tree = tree_for(env, spec, sandbox)?;
    env.console.step(format_args!("building {target}"));
    tree.checkout(applied.tip())?;
    ninja::configure(env, &tree, configure_args(env, spec, &compiler)?)?;
    if !ninja::ninja(env, &tree, target)? {
        return Err(diagnose::explain(&spec.source, &tree, &patches, &applied));
    }
    let made = tree.build().join(target);
    if !made.is_file() {
        return Err(Error::new(Kind::Build, format!("QEMU's build makes no {target}")));
    }
    let fresh = kept.with_extension("new");
    let copied = copy_itself(&made, &fresh).map_err(|e| io_error("copying to", &fresh, e));
    copied.map_err(|e| tree.blame(e))?;
    fs::rename(&fresh, &kept).map_err(|e| io_error("writing", &kept, e))?;
    Ok(kept)
}
