//! `cargo xtask bench model`: the speed of executors.

use std::process::ExitCode;
use std::time::Duration;

use harness::bench::executors::in_model;
use harness::{Env, Result};
use svm_model::cases::{self, SEED};

use crate::show::line;

/// How many cases an executor runs in a second.
#[derive(clap::Subcommand)]
pub(crate) enum Executor {
    /// The model, on one core: every case that a processor with all features can run
    Model {
        /// Seconds to measure for
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
}

pub(crate) fn run(_env: &Env, executor: &Executor) -> Result<ExitCode> {
    match executor {
        Executor::Model { seconds } => model(Duration::from_secs(*seconds))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn model(limit: Duration) -> Result<()> {
    let (nanoseconds, cases) = in_model(&cases::all(SEED), limit)?;
    let rate = 1e9 / nanoseconds;
    line(format_args!(
        "model: {rate:.0} cases a second of processor time ({cases} different cases)"
    ));
    Ok(())
}
