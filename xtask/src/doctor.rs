//! `cargo xtask doctor`.

use std::process::ExitCode;

use harness::{Env, Error, Kind, Result};

/// List every requirement and whether it is met
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_env: &Env, _args: &Args) -> Result<ExitCode> {
    Err(Error::new(Kind::Harness, "this command is not written yet"))
}
