//! `cargo xtask source`.

use std::process::ExitCode;

use harness::{Env, Error, Kind, Result};

/// Get the QEMU source and print where it is
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_env: &Env, _args: &Args) -> Result<ExitCode> {
    Err(Error::new(Kind::Harness, "this command is not written yet"))
}
