//! Where cases run: the executors by name, for one build of QEMU.

use std::path::{Path, PathBuf};

use crate::exec::boot::Machine;
use crate::exec::c::{self, InProcess};
use crate::exec::executor::{LIMIT, QemuExecutor};
use crate::exec::guest;
use crate::host::cache::io_error;
use crate::host::git::Git;
use crate::host::hash;
use crate::qemu::Qemu;
use crate::qemu::build::apply::apply;
use crate::qemu::build::patch::Patch;
use crate::qemu::build::{self, Spec};
use crate::{Env, Error, Kind, Result};

/// The executor `qemu` on that binary.
///
/// # Errors
/// Build, when the guest does not compile.
pub fn qemu(env: &Env, qemu: &Qemu, accel: &str) -> Result<QemuExecutor> {
    let guest = guest::build(&env.repo)?;
    Ok(QemuExecutor::new(Machine {
        qemu: qemu.path.clone(),
        accel: accel.to_owned(),
        firmware: qemu.firmware.clone(),
        guest,
        limit: LIMIT,
    }))
}

/// The executor `c` from the sources that `spec` names.
///
/// QEMU is built from a tree that moves from commit to commit; this takes a copy
/// of its own of what `c` compiles, so that nothing waits for a build.
///
/// # Errors
/// As [`build::build`] and [`c::build`].
pub fn c(env: &Env, spec: &Spec) -> Result<QemuExecutor> {
    build::build(env, spec)?;
    let build = env
        .cache
        .path("trees")
        .join(format!("{}-{}", spec.source.name(), spec.flavour))
        .join("build");
    let source = sources(env, spec)?;
    let program = c::build(env, &source, &build)?;
    Ok(QemuExecutor::in_process(InProcess { program, limit: LIMIT }))
}

/// What `c` compiles and includes, of a QEMU tree.
const PARTS: [&str; 9] =
    ["target/i386", "accel", "include", "tcg", "util", "crypto", "host", "hw", "linux-headers"];

fn sources(env: &Env, spec: &Spec) -> Result<PathBuf> {
    let patches = spec.patches.iter().map(|p| Patch::read(p)).collect::<Result<Vec<_>>>()?;
    let applied = apply(&spec.source, &patches)?;
    let tip = applied.tip();
    let name = &hash::of_parts([tip])[..16];
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
