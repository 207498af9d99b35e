//! `cargo xtask soak`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::slice;
use std::time::{Duration, SystemTime};

use harness::exec::name::Name;
use harness::host::cache;
use harness::host::out;
use harness::record::results::{self, KnownFailures};
use harness::rule_check::{kept, soak, taken_out};
use harness::{Env, Kind, Result};
use svm_model::rules::RuleId;

use crate::executor::ExecutorArgs;
use crate::given;
use crate::show::{line, show};

/// The number of a patch, as in its file's name.
fn number(text: &str) -> Result<String, String> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.to_owned()).ok_or_else(|| "a number, as 0042".to_owned())
}

/// Hold an executor to the model on new cases until time is up
///
/// Each round takes the next seed: random walks, and the families' cases crossed with each other.
/// Ctrl-C ends it early, with what was found. Exit code 1 where a case differs, alone or behind
/// others, that is not among the known failures; 5 where there was no time for a round. With
/// --without, 0 whatever is found, and a table.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The executor: qemu:patched, qemu:stock, qemu:PATH, c:patched, c:stock, c:SOURCE:BUILD
    #[arg(long, value_name = "EXECUTOR", default_value = "qemu:patched")]
    on: Name,
    #[command(flatten)]
    how: ExecutorArgs,

    /// Minutes; no round begins after them
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    minutes: f64,
    /// Executors side by side [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = given::jobs())]
    jobs: Option<u16>,
    /// Seed of the first round [default: the time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Cases of a round; each CPU that they want is booted once a round
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = given::cases())]
    cases: u32,

    /// Instead, take each of these patches out of the series by itself, and say how soon soak
    /// notices: by their numbers, as 0042,0107; --minutes is for each
    #[arg(long, value_name = "PATCHES", value_delimiter = ',', value_parser = number)]
    without: Vec<String>,

    /// Keep the example of each rule in svm-model/kept, where none is kept yet
    #[arg(long, help_heading = "Output")]
    keep: bool,
    /// Say how often each mode and instruction was drawn
    #[arg(long, help_heading = "Output")]
    drawn: bool,
    /// With --without: write the table to this file, too, as Markdown
    #[arg(long, value_name = "FILE", value_parser = given::file(), requires = "without",
          help_heading = "Output")]
    table: Option<PathBuf>,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let seconds = args.minutes * 60.0;
    let Ok(time) = Duration::try_from_secs_f64(seconds) else {
        let what = format!("{} minutes is no length of time", args.minutes);
        return Err(harness::Error::new(Kind::Usage, what).hint("--minutes 10"));
    };
    let now = || SystemTime::UNIX_EPOCH.elapsed().map_or(0, |t| t.as_secs());
    let seed = args.seed.unwrap_or_else(now);
    let jobs = args.jobs.map_or_else(harness::run::cores, usize::from);
    let request = soak::Request { time, jobs, seed, cases: args.cases.max(5) as usize };
    args.how.check(env, slice::from_ref(&args.on))?;
    if !args.without.is_empty() {
        return without(env, args, &request);
    }
    // Built once, before anything runs side by side.
    let place = args.how.open(env, &args.on)?;
    let (kind, build, title) = (place.kind, place.build.clone(), place.title());
    drop(place);
    let soaked = soak::soak(&env.console, &request, &|| args.how.open(env, &args.on))?;
    let known = KnownFailures::load(&results::folder(&env.repo))?;
    let reason = |rule: RuleId| known.of_rule(kind, &build, rule).map(ToOwned::to_owned);
    show(&soaked.text(&title, &args.on, &reason));
    if args.drawn {
        line("");
        soaked.drawn.table().for_each(|(what, count)| line(format_args!("{count:>10} {what}")));
    }
    if args.keep {
        for path in kept::keep(&env.repo, soaked.groups.values().map(|g| &g.example))? {
            out::line(format_args!("kept {}", path.display()));
        }
    }
    let good = soaked.good(&reason);
    Ok(ExitCode::from(if good { 0 } else { Kind::Regression.exit_code() }))
}

/// Cases of a round that ends when a difference is found: few, so that its time is known well.
const FEW: usize = 10_000;

fn without(env: &Env, args: &Args, request: &soak::Request) -> Result<ExitCode> {
    let request = soak::Request { cases: request.cases.min(FEW), ..*request };
    let rows = taken_out::campaign(env, &args.on, &args.how.how(), &args.without, &request)?;
    let text = taken_out::markdown(&rows);
    show(&text);
    if let Some(path) = &args.table {
        cache::write_named(path, text.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}
