//! `cargo xtask ci`.

use std::process::ExitCode;

use harness::host::error::Context;
use harness::{Env, Kind, Result, ci};

/// Run every check: format, lints, tests, the series, both builds, the
/// conformance and the migration suite on both, compared with what is recorded
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this step (may be given several times)
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let xtask = std::env::current_exe().doing(Kind::Harness, || "finding this program".into())?;
    ci::run(env, ci::select(ci::steps(env, &xtask), &args.only)?)
}
