//! `cargo xtask test-svm`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use harness::host::cache;
use harness::host::console::Verbosity;
use harness::host::process;
use harness::qemu::Side;
use harness::qemu::build::Flavour;
use harness::record::shard::Shard;
use harness::report::Report;
use harness::suites::Options;
use harness::suites::select::Selection;
use harness::test_svm::{self, Request};
use harness::{Env, Kind, Result, report};
use svm_model::Feature;

use crate::binaries::BinaryArgs;
use crate::given;
use crate::show::show;

/// Build QEMU stock and with the series, run the SVM suites on both, and say
/// what the series fixes and what it breaks
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A built kvm-unit-tests tree [default: ../kvm-unit-tests, if it is there]
    #[arg(long, env = "KVM_UNIT_TESTS", value_name = "DIR", hide_env_values = true)]
    kvm_unit_tests: Option<PathBuf>,
    /// Fail when this suite is not there (may be given several times)
    #[arg(long, value_name = "SUITE", value_parser = given::suite())]
    require: Vec<String>,

    /// Only this suite (may be given several times, as each filter)
    #[arg(long, value_name = "SUITE", value_parser = given::suite(), help_heading = "What to run")]
    suite: Vec<String>,
    /// Only this unit or configuration, or pattern; units other than svm's run only if named
    #[arg(long, value_name = "PATTERN", help_heading = "What to run")]
    unit: Vec<String>,
    /// Only this test, TEST or UNIT/TEST; * and ? are wildcards, and !PATTERN leaves out
    #[arg(long, alias = "case", value_name = "PATTERN", help_heading = "What to run")]
    test: Vec<String>,
    /// Only tests of this feature
    #[arg(long, value_name = "FEATURE", help_heading = "What to run")]
    feature: Vec<Feature>,
    /// Only one side
    #[arg(long, value_name = "SIDE", help_heading = "What to run")]
    only: Option<OnlySide>,

    #[command(flatten, next_help_heading = "On which QEMU")]
    binaries: BinaryArgs,

    /// QEMUs at a time [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = given::jobs())]
    jobs: Option<u16>,
    /// Seconds for each run [default: as the suite says, at least 90; 300 for a whole unit]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    timeout: Option<u32>,
    /// Measure again what already has a verdict
    #[arg(long)]
    fresh: bool,
    /// Attempts at each test; those that disagree are shown as flaky
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,

    /// Measure the K-th of N shards only, of about equal times
    #[arg(long, value_name = "K/N", requires = "results")]
    shard: Option<Shard>,
    /// Write the shard's results to this file, for `cargo xtask merge`
    #[arg(long, value_name = "FILE", value_parser = given::file(), requires = "shard")]
    results: Option<PathBuf>,

    #[command(flatten)]
    output: OutputArgs,
}

/// What becomes of a report.
#[derive(clap::Args)]
pub(crate) struct OutputArgs {
    /// Write the verdicts to results/
    #[arg(long, alias = "bless", help_heading = "Output")]
    pub(crate) record: bool,
    /// Write everything to this file as JSON
    #[arg(long, value_name = "FILE", value_parser = given::file(), help_heading = "Output")]
    json: Option<PathBuf>,
    /// Write a JUnit file
    #[arg(long, value_name = "FILE", value_parser = given::file(), help_heading = "Output")]
    junit: Option<PathBuf>,
}

impl OutputArgs {
    /// Refuses one file for two of these, and for the results of a shard.
    pub(crate) fn check(&self, results: &Option<PathBuf>) -> Result<()> {
        given::apart(&[("--json", &self.json), ("--junit", &self.junit), ("--results", results)])
    }

    /// Writes the files that are wanted, and prints the report.
    pub(crate) fn write(&self, env: &Env, report: &Report) -> Result<()> {
        if let Some(path) = &self.json {
            cache::write_named(path, report::json(report)?.as_bytes())?;
        }
        if let Some(path) = &self.junit {
            cache::write_named(path, report::junit(report)?.as_bytes())?;
        }
        let all = env.console.verbosity() == Verbosity::Verbose;
        show(&if all { report::text(report) } else { report::brief(report) });
        Ok(())
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum OnlySide {
    Stock,
    Patched,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    args.output.check(&args.results)?;
    let mut request = Request {
        options: Options {
            kvm_unit_tests: args.kvm_unit_tests.clone(),
            checkout: env.repo.clone(),
            cache: Some(env.cache.root().to_path_buf()),
            install: env.install,
            require: args.require.iter().cloned().collect(),
            timeout: args.timeout.map(|s| Duration::from_secs(s.into())),
            units: args.unit.clone(),
            stock: None,
        },
        qemus: Vec::new(),
        selection: Selection {
            tests: args.test.clone(),
            units: args.unit.clone(),
            features: args.feature.clone(),
            suites: args.suite.clone(),
        },
        jobs: args.jobs.map_or_else(harness::run::cores, usize::from),
        fresh: args.fresh,
        repeat: args.repeat,
        shard: args.shard.zip(args.results.clone()),
        record: args.output.record,
        command: command(args),
    };
    test_svm::check(&request)?;
    request.qemus = args.binaries.qemus(env, sides(args.only))?;
    let stock = request.qemus.iter().find(|q| q.build.side == Side::Stock).cloned();
    request.options.stock = stock;
    let report = test_svm::run(env, &request)?;
    args.output.write(env, &report)?;
    Ok(ExitCode::from(report.failure().map_or(0, Kind::exit_code)))
}

/// Both sides, or the one that is wanted, stock first.
fn sides(only: Option<OnlySide>) -> &'static [Side] {
    match only {
        Some(OnlySide::Stock) => &[Side::Stock],
        Some(OnlySide::Patched) => &[Side::Patched],
        None => &[Side::Stock, Side::Patched],
    }
}

/// The command with the flags that say what is tested, but not which tests.
fn command(args: &Args) -> String {
    let mut command = "cargo xtask test-svm".to_owned();
    let mut add = |flag: &str, value: &Option<PathBuf>| {
        if let Some(value) = value {
            command += &format!(" {flag} {}", process::quote(value.as_os_str()));
        }
    };
    add("--qemu-src", &args.binaries.base.qemu_src);
    add("--series", &args.binaries.series);
    add("--kvm-unit-tests", &args.kvm_unit_tests);
    add("--stock-qemu", &args.binaries.stock_qemu);
    add("--qemu", &args.binaries.qemu);
    if let Some(base) = &args.binaries.base.base {
        command += &format!(" --base {base}");
    }
    if args.binaries.flavour != Flavour::default() {
        command += &format!(" --flavour {}", args.binaries.flavour);
    }
    match args.only {
        Some(OnlySide::Stock) => command += " --only stock",
        Some(OnlySide::Patched) => command += " --only patched",
        None => {}
    }
    command
}
