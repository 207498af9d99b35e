//! `cargo xtask build`.

use std::process::ExitCode;

use harness::{Env, Error, Kind, Result};

/// Build QEMU, stock or with the series
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_env: &Env, _args: &Args) -> Result<ExitCode> {
    Err(Error::new(Kind::Harness, "this command is not written yet"))
}
