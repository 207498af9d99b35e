//! `cargo xtask qemu-tests`.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use harness::qemu::Side;
use harness::suites::Options;
use harness::suites::qemu_tests::NAME;
use harness::suites::select::Selection;
use harness::test_svm::{self, Request};
use harness::{Env, Kind, Result};

use crate::binaries::BinaryArgs;
use crate::test_svm::OutputArgs;

/// Run the tests that the series brings into QEMU's own tree, on stock and with the series
///
/// They are what `make check-tcg` runs in a tree with the series.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this test, TEST or PROGRAM/TEST; * and ? are wildcards, and !PATTERN leaves out
    #[arg(long, value_name = "PATTERN")]
    test: Vec<String>,
    #[command(flatten, next_help_heading = "On which QEMU")]
    binaries: BinaryArgs,
    /// QEMUs at a time [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Seconds for each program [default: 120]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    timeout: Option<u32>,
    /// Measure again what already has a verdict
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let mut request = request(env, args);
    test_svm::check(&request)?;
    request.qemus = args.binaries.qemus(env, &[Side::Stock, Side::Patched])?;
    let report = test_svm::run(env, &request)?;
    args.output.write(env, &report)?;
    Ok(ExitCode::from(report.failure().map_or(0, Kind::exit_code)))
}

/// What is to be run, on QEMUs that are still to be named.
fn request(env: &Env, args: &Args) -> Request {
    let options = Options {
        checkout: env.repo.clone(),
        cache: Some(env.cache.root().to_path_buf()),
        install: env.install,
        // Nothing else is run: without the tests there is nothing to report.
        require: BTreeSet::from([NAME.to_owned()]),
        timeout: args.timeout.map(|s| Duration::from_secs(s.into())),
        ..Options::default()
    };
    let selection = Selection {
        tests: args.test.clone(),
        suites: vec![NAME.to_owned()],
        ..Selection::default()
    };
    Request {
        qemus: Vec::new(),
        options,
        selection,
        jobs: args.jobs.map_or_else(harness::run::cores, usize::from),
        fresh: args.fresh,
        repeat: 1,
        shard: None,
        record: args.output.record,
        command: format!("cargo xtask test-svm --suite {NAME}"),
    }
}
