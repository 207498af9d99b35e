//! `cargo xtask merge`.

use std::path::PathBuf;
use std::process::ExitCode;

use harness::record::shard::{self, Share};
use harness::{Env, Kind, Result, test_svm};

use crate::test_svm::OutputArgs;

/// Put together what the shards of one run wrote, and report as if one machine
/// had run it
///
/// The tests of a shard that left no file are missing, and the exit code is 5.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What `test-svm --shard K/N --results FILE` wrote, in any order
    #[arg(value_name = "FILE", required = true)]
    shards: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    args.output.check(&None)?;
    let load = |path: &PathBuf| Ok((path.clone(), Share::load(path)?));
    let shares = args.shards.iter().map(load).collect::<Result<Vec<_>>>()?;
    let report = test_svm::conclude_merged(env, shard::merge(shares)?, args.output.record)?;
    args.output.write(env, &report)?;
    Ok(ExitCode::from(report.failure().map_or(0, Kind::exit_code)))
}
