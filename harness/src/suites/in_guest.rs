//! What suites have in common whose cases the conformance guest runs.

use svm_model::cpu::CpuSet;

use super::{Absent, Config, Options};
use crate::exec::cpu_argument;
use crate::exec::guest::{self, Guest};
use crate::{Error, Kind, Result};

/// The guest for the suite `name`, or why there is none.
///
/// # Errors
/// Build, when the guest does not compile; set-up, when the suite is required and the checkout has
/// no guest.
pub(super) fn build(options: &Options, name: &str) -> Result<Result<Guest, Absent>> {
    if options.checkout.join(guest::FOLDER).is_dir() {
        return Ok(Ok(guest::build(&options.checkout)?));
    }
    let why = format!("no {} in this checkout", guest::FOLDER);
    if options.require.contains(name) {
        return Err(Error::new(Kind::Setup, format!("{name} is required, but there is {why}")));
    }
    Ok(Err(Absent { suite: name.into(), why }))
}

/// A configuration, with more arguments behind those that every such suite has.
pub(super) fn config(name: &str, more: &str) -> Config {
    let cpu = cpu_argument(CpuSet::NONE);
    let command = format!(
        "qemu-system-x86_64 -nodefaults -machine pc,accel=tcg,memory-backend=ram -cpu {cpu} -bios svm-guest.rom{more}"
    );
    Config { config: name.into(), cpu, command }
}
