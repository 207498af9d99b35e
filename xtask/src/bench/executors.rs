//! `cargo xtask bench model`: the speed of executors.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use harness::{Env, Result};
use svm_model::cases::{self, SEED};
use svm_model::{coverage, model};

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
        Executor::Model { seconds } => model(Duration::from_secs(*seconds)),
    }
    Ok(ExitCode::SUCCESS)
}

fn model(limit: Duration) {
    let cases = cases::all(SEED);
    let runs: Vec<_> = cases
        .iter()
        .filter_map(|case| Some((case, coverage::platform_for(case, &coverage::FULL)?)))
        .collect();
    let (start, mut done) = (Instant::now(), 0u64);
    while start.elapsed() < limit {
        for (case, platform) in &runs {
            black_box(model::run(black_box(case), platform));
        }
        done += runs.len() as u64;
    }
    let rate = done as f64 / start.elapsed().as_secs_f64();
    println!("model: {rate:.0} cases a second on one core ({} different cases)", runs.len());
}
