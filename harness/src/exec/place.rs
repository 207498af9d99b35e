//! Where cases run: executors by name.

use std::path::{Path, PathBuf};

use super::Executor;
use super::boot::Machine;
use super::booted::{Booted, LIMIT};
use super::c::{self, InProcess};
use super::guest;
use super::model::Model;
use super::name::Name;
use crate::host::cache::io_error;
use crate::host::git::Git;
use crate::host::hash;
use crate::qemu::build::apply::apply;
use crate::qemu::build::patch::Patch;
use crate::qemu::build::{self, Flavour, Spec};
use crate::qemu::source::{self, Request};
use crate::qemu::{Qemu, Side};
use crate::{Env, Error, Kind, Result};

/// An executor, open.
pub struct Place {
    /// `model`, `qemu` or `c`.
    pub kind: &'static str,
    /// The build, as the folder under `results/`; empty for the model.
    pub build: String,
    /// Its name on a command line.
    pub name: Name,
    /// It.
    pub executor: Box<dyn Executor>,
}

impl Place {
    /// The model.
    pub fn model() -> Place {
        let (name, executor) = (Name::Model, Box::new(Model));
        Place { kind: "model", build: String::new(), name, executor }
    }

    /// What reports call it: `qemu patched-10.2.2`.
    pub fn title(&self) -> String {
        format!("{} {}", self.kind, self.build).trim_end().to_owned()
    }
}

/// How what has to be built is built, and run.
#[derive(Clone, Debug)]
pub struct How {
    /// Which source.
    pub source: Request,
    /// QEMU's accelerator, `tcg` or `kvm`.
    pub accel: String,
}

/// Refuses a name of what is not there, before anything is fetched or built.
///
/// # Errors
/// As [`Spec::check`]; Usage, for a binary that is no QEMU, and for folders without a
/// build.
pub fn check(env: &Env, name: &Name, how: &How) -> Result<()> {
    match name {
        Name::Model => Ok(()),
        Name::Qemu(side) | Name::C(side) => Spec::check(env, *side, &how.source, None),
        Name::Binary(path) => Qemu::named(path).map(drop),
        Name::Tree { build, .. } => c::check(build),
    }
}

/// Opens an executor; what it runs is built, or found built.
///
/// # Errors
/// As [`source::obtain`], [`build::build`], [`guest::build`] and [`c::build`];
/// Usage, for a binary that is no QEMU.
pub fn open(env: &Env, name: &Name, how: &How) -> Result<Place> {
    let on = |qemu: Qemu| -> Result<Place> {
        let executor = Box::new(self::qemu(env, &qemu, &how.accel)?);
        Ok(Place { kind: "qemu", build: qemu.build.name, name: name.clone(), executor })
    };
    match name {
        Name::Model => Ok(Place::model()),
        Name::Qemu(side) => on(Qemu::built(*side, &build::build(env, &spec(env, *side, how)?)?)?),
        Name::Binary(path) => on(Qemu::named(path)?),
        Name::C(side) => {
            let spec = spec(env, *side, how)?;
            let build = format!("{side}-{}", spec.source.version);
            let executor = Box::new(self::c(env, &spec)?);
            Ok(Place { kind: "c", build, name: name.clone(), executor })
        }
        Name::Tree { source, build } => {
            let program = c::build(env, source, build)?;
            let executor = Box::new(Booted::new(InProcess { program, limit: LIMIT }));
            let build = source.display().to_string();
            Ok(Place { kind: "c", build, name: name.clone(), executor })
        }
    }
}

/// Opens `qemu`, or with `c` QEMU's C code, as `spec` says.
///
/// # Errors
/// As [`open`].
pub fn open_spec(env: &Env, name: &Name, spec: &Spec, how: &How) -> Result<Place> {
    let build = format!("{}-{}", Side::Patched, spec.source.version);
    let (kind, executor): (_, Box<dyn Executor>) = match name {
        Name::C(_) => ("c", Box::new(c(env, spec)?)),
        _ => {
            let built = Qemu::built(Side::Patched, &build::build(env, spec)?);
            ("qemu", Box::new(qemu(env, &built?, &how.accel)?))
        }
    };
    Ok(Place { kind, build, name: name.clone(), executor })
}

/// What the executors of a side are built from.
///
/// # Errors
/// As [`source::obtain`].
pub fn spec(env: &Env, side: Side, how: &How) -> Result<Spec> {
    Spec::of_side(env, side, source::obtain(env, &how.source)?, None, Flavour::Release)
}

/// The executor `qemu` on that binary.
///
/// # Errors
/// Build, when the guest does not compile.
pub fn qemu(env: &Env, qemu: &Qemu, accel: &str) -> Result<Booted<Machine>> {
    let guest = guest::build(&env.repo)?;
    Ok(Booted::new(Machine { accel: accel.to_owned(), ..Machine::new(qemu, guest) }))
}

/// The executor `c` from the sources that `spec` names.
///
/// # Errors
/// As [`c_tree`] and [`c::build`].
pub fn c(env: &Env, spec: &Spec) -> Result<Booted<InProcess>> {
    let (source, build) = c_tree(env, spec)?;
    let program = c::build(env, &source, &build)?;
    Ok(Booted::new(InProcess { program, limit: LIMIT }))
}

/// What the executor `c` is compiled from: its sources, and where they are configured and built.
///
/// QEMU is built from a tree that moves from commit to commit; this takes a copy
/// of its own of what `c` compiles, so that nothing waits for a build.
///
/// # Errors
/// As [`build::build`]; Harness, when the cache cannot be written.
pub fn c_tree(env: &Env, spec: &Spec) -> Result<(PathBuf, PathBuf)> {
    build::build(env, spec)?;
    let tree = format!("{}-{}", spec.source.name(), spec.flavour);
    Ok((sources(env, spec)?, env.cache.path("trees").join(tree).join("build")))
}

/// What `c` compiles and includes, of a QEMU tree.
const PARTS: [&str; 10] = [
    "target/i386",
    "accel",
    "include",
    "tcg",
    "util",
    "crypto",
    "host",
    "hw",
    "linux-headers",
    "trace",
];

fn sources(env: &Env, spec: &Spec) -> Result<PathBuf> {
    let patches = spec.patches.iter().map(|p| Patch::read(p)).collect::<Result<Vec<_>>>()?;
    let applied = apply(&spec.source, &patches)?;
    let tip = applied.tip();
    // A copy with other parts is another copy.
    let name = &hash::of_parts(std::iter::once(tip).chain(PARTS))[..16];
    let parent = env.cache.dir("sources-c")?;
    let home = parent.join(name);
    if home.is_dir() {
        return Ok(home);
    }
    let fresh = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(&parent)
        .map_err(|e| io_error("creating a folder in", &parent, e))?;
    check_out(spec, tip, fresh.path())?;
    let fresh = fresh.keep();
    match std::fs::rename(&fresh, &home) {
        // Another run may have been quicker.
        Err(_) if home.is_dir() => _ = std::fs::remove_dir_all(&fresh),
        other => other.map_err(|e| io_error("writing", &home, e))?,
    }
    Ok(home)
}

fn check_out(spec: &Spec, tip: &str, to: &Path) -> Result<()> {
    let git = Git::new(&spec.source.git).with_work_tree(to).with_index(to.join(".index"));
    let mut args = vec!["checkout", "--quiet", "--force", tip, "--"];
    args.extend(PARTS);
    git.run(args).map_err(|e| {
        Error::new(Kind::Harness, format!("copying QEMU's sources to {}", to.display())).because(e)
    })?;
    Ok(())
}
