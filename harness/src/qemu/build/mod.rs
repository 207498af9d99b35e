//! From a source and a list of patches to a QEMU binary.
//!
//! A binary is looked for in the cache by the hash of what would make it. When
//! it is not there, the one tree of its base and flavour is moved to the wanted
//! commit, and what differs is built.

pub mod apply;
pub mod counted;
pub mod diagnose;
pub mod flags;
pub mod patch;
pub mod tree;
pub mod without;

mod aside;
mod ninja;
mod store;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::host::sandbox::Sandbox;
use crate::host::setup::{self, Compiler, Need, compiler, python::Venv};
use crate::qemu::Side;
use crate::qemu::source::pins::{Base, Pins};
use crate::qemu::source::{self, Source};
use crate::{Env, Error, Kind, Result};
use patch::Patch;
use tree::Tree;

pub use aside::aside;
pub use flags::Flavour;
pub use store::Built;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The base.
    pub source: Source,
    /// The patches on it, in order; none is stock QEMU. Part of a series is a
    /// list like any other.
    pub patches: Vec<PathBuf>,
    /// How it is compiled.
    pub flavour: Flavour,
}

impl Spec {
    /// Refuses a series that is none, before its source is fetched.
    ///
    /// # Errors
    /// As [`source::version`] and [`patch::series`].
    pub fn check(
        env: &Env,
        side: Side,
        wanted: &source::Request,
        series: Option<&Path>,
    ) -> Result<()> {
        let own = env.series_of(&source::version(wanted)?);
        match side {
            Side::Stock => Ok(()),
            Side::Patched => patch::series(series.unwrap_or(&own)).map(drop),
        }
    }

    /// Stock, or with a series: that of this repository, or the folder that is named.
    ///
    /// # Errors
    /// As [`patch::series`].
    pub fn of_side(
        env: &Env,
        side: Side,
        source: Source,
        series: Option<&Path>,
        flavour: Flavour,
    ) -> Result<Spec> {
        let own = env.series_dir(&source.major_minor());
        let patches = match side {
            Side::Stock => Vec::new(),
            Side::Patched => patch::series(series.unwrap_or(&own))?,
        };
        Ok(Spec { source, patches, flavour })
    }
}

/// Builds `spec`, or finds it built.
///
/// # Errors
/// Usage, when a patch cannot be read; Setup, when the machine lacks something;
/// Build, when a patch does not apply, or QEMU does not configure or compile;
/// Harness; Interrupted. The cache is whole after each of them.
pub fn build(env: &Env, spec: &Spec) -> Result<Built> {
    build_in(env, spec, None)
}

/// [`build`] in a sandbox, if one is given: in a tree apart, and kept apart.
///
/// # Errors
/// As [`build`].
pub fn build_in(env: &Env, spec: &Spec, sandbox: Option<&Sandbox>) -> Result<Built> {
    require(env, spec)?;
    let firmware = firmware(env, &spec.source)?;
    let patches: Vec<Patch> = spec.patches.iter().map(|p| Patch::read(p)).collect::<Result<_>>()?;
    let compiler = compiler()?;
    let mut wanted = Built {
        path: PathBuf::new(),
        id: String::new(),
        qemu_version: spec.source.version.clone(),
        base: spec.source.tree.clone(),
        series_hash: patch::series_hash(&patches),
        patches: patches.iter().map(Patch::name).collect(),
        flavour: spec.flavour,
        compiler: compiler.version.clone(),
        refused: None,
        firmware,
    }
    .identified();
    // What was built without a sandbox is ours, and serves in one, too.
    let stores = [Some(store::OURS), sandbox.map(|_| store::APART)];
    let found = |wanted: &Built| {
        let built = stores.into_iter().flatten().find_map(|store| wanted.found(env, store))?;
        if let Some(sandbox) = sandbox {
            built.refused.iter().flatten().for_each(|line| sandbox.hear(line));
        }
        Some(built)
    };
    if let Some(built) = found(&wanted) {
        return Ok(built);
    }
    let applied = apply::apply(&spec.source, &patches)?;
    let tree = tree_for(env, spec, sandbox)?;
    // Another run may have built it while we waited.
    if let Some(built) = found(&wanted) {
        return Ok(built);
    }
    let begun = Instant::now();
    env.console.step(format_args!("building QEMU {}", describe(&wanted)));
    tree.checkout(applied.tip())?;
    ninja::configure(env, &tree, configure_args(env, spec, &compiler)?)?;
    if !ninja::ninja(env, &tree, flags::TARGET)? {
        return Err(diagnose::explain(&spec.source, &tree, &patches, &applied));
    }
    let store = if sandbox.is_some() { store::APART } else { store::OURS };
    wanted.refused = sandbox.map(Sandbox::refused);
    let kept = wanted.keep(env, store, &tree.build().join(flags::TARGET));
    let built = kept.map_err(|e| tree.blame(e))?;
    env.console.note(format_args!("built in {:.0} s", begun.elapsed().as_secs_f64()));
    Ok(built)
}

fn tree_for(env: &Env, spec: &Spec, sandbox: Option<&Sandbox>) -> Result<Tree> {
    match sandbox {
        None => Tree::take(env, &spec.source, spec.flavour),
        Some(sandbox) => Tree::apart(env, &spec.source, spec.flavour, sandbox),
    }
}

/// What is known of the source or, of a checkout, of the default version.
fn pin(source: &Source) -> Result<Base> {
    Ok(Pins::builtin()?.base(source.pinned.as_deref())?.clone())
}

/// Refuses a machine that cannot build `spec`.
fn require(env: &Env, spec: &Spec) -> Result<()> {
    let mut needs = vec![Need::Build];
    spec.flavour.check(&spec.source.version)?;
    needs.extend(pin(&spec.source)?.older.then_some(Need::Older));
    needs.extend((spec.flavour == Flavour::Full).then_some(Need::Full));
    setup::require(env, &needs)
}

/// `10.2.2, stock, release`.
fn describe(built: &Built) -> String {
    let series = match built.patches.len() {
        0 => "stock".into(),
        n => format!("{n} patches ({})", built.series_hash),
    };
    format!("{}, {series}, {}", built.qemu_version, built.flavour)
}

fn configure_args(env: &Env, spec: &Spec, compiler: &Compiler) -> Result<Vec<String>> {
    let pin = pin(&spec.source)?;
    let venv = Venv::with_meson(env, &pin.meson)?;
    let mut args: Vec<String> = spec.flavour.configure().into_iter().map(Into::into).collect();
    let path = |path: PathBuf| path.display().to_string();
    let interpreter = pin.interpreter.replace("{python}", &path(venv.python()));
    args.push(interpreter.replace("{meson}", &path(venv.script())));
    args.push(format!("--cc={}", compiler.command));
    // Whatever a release has inside must do; a checkout may lack it.
    if spec.source.pinned.is_some() {
        args.extend(pin.configure.iter().cloned());
    }
    Ok(args)
}

/// Folders with firmware: the source's own, or the system's.
fn firmware(env: &Env, source: &Source) -> Result<Vec<PathBuf>> {
    let own = source.dir.join("pc-bios");
    if own.join("bios-256k.bin").is_file() {
        return Ok(vec![own]);
    }
    setup::require(env, &[Need::Run])?;
    let system = ["/usr/share/seabios", "/usr/share/qemu"].map(Path::new);
    let found: Vec<PathBuf> = system.into_iter().filter(|d| d.is_dir()).map(Into::into).collect();
    if found.is_empty() {
        return Err(Error::new(Kind::Setup, "no firmware for the guest was found")
            .hint("install seabios and qemu-system-data"));
    }
    Ok(found)
}
