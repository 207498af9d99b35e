//! `cargo xtask bench`.

mod executors;

use std::path::PathBuf;
use std::process::ExitCode;

use harness::bench::{self, Request};
use harness::host::cache;
use harness::qemu::Side;
use harness::record::results;
use harness::{Env, Kind, Result};

use crate::binaries::BinaryArgs;
use crate::given;
use crate::show::show;

/// Measure what the series costs and saves, stock against patched; or, with a subcommand, how many
/// cases an executor runs in a second
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    executor: Option<executors::Executor>,
    /// What to measure [default: all]
    #[arg(value_name = "WHAT", value_parser = groups())]
    what: Vec<String>,
    #[command(flatten, next_help_heading = "On which QEMU")]
    binaries: BinaryArgs,
    /// Rounds; each measures stock and patched
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// Write everything to this file as JSON
    #[arg(long, value_name = "FILE", value_parser = given::file(), help_heading = "Output")]
    json: Option<PathBuf>,
    /// Write the figures to results/bench.json
    #[arg(long, help_heading = "Output")]
    record: bool,
}

fn groups() -> clap::builder::PossibleValuesParser {
    ["all"]
        .into_iter()
        .chain(bench::GROUPS.iter().map(|group| group.name))
        .collect::<Vec<_>>()
        .into()
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    if let Some(executor) = &args.executor {
        return executors::run(env, executor);
    }
    let request = Request {
        groups: args.what.clone(),
        qemus: args.binaries.qemus(env, &[Side::Stock, Side::Patched])?,
        rounds: args.rounds.into(),
    };
    let report = bench::run(env, &request)?;
    if let Some(path) = &args.json {
        cache::write_named(path, report.record.text()?.as_bytes())?;
    }
    show(&bench::text(&report));
    if args.record {
        let path = report.record.save(&results::folder(&env.repo), report.whole)?;
        env.console.note(format_args!("recorded {}", path.display()));
    }
    Ok(ExitCode::from(report.failure().map_or(0, Kind::exit_code)))
}
