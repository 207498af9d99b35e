//! The executor `c`: QEMU's own `target/i386` code in a process of its own.
//!
//! `harness/cexec` is compiled against one QEMU tree, and takes a batch from a
//! RAM file as a QEMU with the guest in it does. A crash of the C code is the
//! end of that process alone.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use svm_model::case::Board;
use svm_model::cpu::CpuSet;

use super::batch::register;
use super::boot::{self, Ended};
use super::booted::Boots;
use super::ram::Ram;
use crate::host::hash;
use crate::host::process;
use crate::host::setup::{self, Need};
use crate::{Env, Error, Kind, Result};

/// What configure leaves in a build folder that the executor needs.
const COMMANDS: &str = "compile_commands.json";
const CONFIGURED: &str = "config-host.h";

/// The executor's program.
#[derive(Clone, Debug)]
pub struct InProcess {
    /// The binary.
    pub program: PathBuf,
    /// How long a case may make no progress.
    pub limit: Duration,
}

impl Boots for InProcess {
    /// Without regard to the board: a case in process has a processor and memory.
    fn boot(&self, without: CpuSet, _board: Board, ram: &Ram) -> Result<(Ended, Duration)> {
        let mut command = Command::new(&self.program);
        command.arg(ram.path());
        for bit in without.iter().map(|f| f.cpuid()) {
            let (leaf, subleaf, reg) = (bit.leaf, bit.subleaf, register(bit.reg));
            command.args(["--without", &format!("{leaf:x}:{subleaf:x}:{reg}:{}", bit.bit)]);
        }
        boot::watched(command, ram, self.limit)
    }
}

/// Refuses a folder in which no QEMU is built.
///
/// # Errors
/// Usage, naming what is missing there.
pub fn check(build: &Path) -> Result<()> {
    for name in [COMMANDS, CONFIGURED] {
        if !build.join(name).is_file() {
            let message = format!("{} has no {name}: QEMU is not built there", build.display());
            return Err(Error::new(Kind::Usage, message).hint("`cargo xtask build` builds it"));
        }
    }
    Ok(())
}

/// Builds the executor against the tree `source`, configured and built in
/// `build`; quick if it is built.
///
/// # Errors
/// Usage, when `build` holds no build; Setup, without a libclang; Build, when it
/// does not compile.
pub fn build(env: &Env, source: &Path, build: &Path) -> Result<PathBuf> {
    check(build)?;
    setup::require(env, &[Need::Bindgen, Need::Build])?;
    // One target folder for each pair, so that going back and forth rebuilds nothing.
    let pair = [source, build].map(|p| p.as_os_str().as_encoded_bytes());
    let target = env.repo.join("target/cexec").join(&hash::of_parts(pair)[..12]);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(env.repo.join("harness/cexec"))
        .args(["build", "--release", "--quiet", "--locked", "--target-dir"])
        .arg(&target)
        .env("SVM_QEMU_SRC", source)
        .env("SVM_QEMU_BUILD", build);
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"] {
        command.env_remove(name);
    }
    process::stdout(Kind::Build, &mut command)?;
    Ok(target.join("release/svm-cexec"))
}
