//! `cargo xtask report`.

use std::path::PathBuf;
use std::process::ExitCode;

use harness::bench::record::Record;
use harness::host::console::Verbosity;
use harness::host::out;
use harness::record::history::History;
use harness::record::results::{self, Excerpts, KnownFailures};
use harness::report::html;
use harness::{Env, Error, Kind, Result, report};

use crate::given;
use crate::show::show;

/// Print everything that is recorded: the matrix feature by build, what fails
/// since when, known failures, and tests that waver
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this suite
    #[arg(long, value_name = "SUITE", value_parser = given::suite())]
    suite: Option<String>,
    /// Only this build, such as stock-10.2.2 (may be given several times)
    #[arg(long = "build", value_name = "BUILD")]
    builds: Vec<String>,
    /// What changed from this build to the newest of its side, or to each --build
    #[arg(long, value_name = "BUILD")]
    since: Option<String>,
    /// Write pages for a browser into this folder; they need no network
    #[arg(long, value_name = "DIR", value_parser = given::folder(), conflicts_with = "since")]
    html: Option<PathBuf>,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    args.html.as_deref().map_or(Ok(()), html::ready)?;
    let folder = results::folder(&env.repo);
    let known = KnownFailures::load(&folder)?;
    let mut sets = results::load_all(&folder)?;
    sets.retain(|set| args.suite.as_ref().is_none_or(|s| *s == set.suite.name));
    sets.iter_mut().for_each(|set| known.apply(set));
    match &args.since {
        Some(since) => {
            let history = History::of(&sets);
            let comparisons = report::since(&history, since, &args.builds)?;
            show(&report::changes(&history, &known, comparisons));
        }
        None => {
            let recorded = History::of(&sets).recorded();
            sets.retain(|set| args.builds.is_empty() || args.builds.contains(&set.build.name));
            if sets.is_empty() {
                let what = format!("nothing of that kind is recorded in {}", folder.display());
                return Err(Error::new(Kind::NothingRan, what).hint(recorded.unwrap_or_else(
                    || "`cargo xtask test-svm --record` measures and records".to_owned(),
                )));
            }
            let history = History::of(&sets);
            if let Some(dir) = &args.html {
                let excerpts = Excerpts::load(&env.cache, &sets);
                let bench = Record::load(&folder)?;
                let content = html::Content {
                    history: &history,
                    known: &known,
                    excerpts: &excerpts,
                    bench: bench.as_ref(),
                };
                html::write(dir, &html::pages(&content)?)?;
                out::path(&dir.join("index.html"));
                return Ok(ExitCode::SUCCESS);
            }
            let all = env.console.verbosity() == Verbosity::Verbose;
            let say = if all { report::recorded } else { report::overview };
            show(&say(&history, &known));
        }
    }
    Ok(ExitCode::SUCCESS)
}
