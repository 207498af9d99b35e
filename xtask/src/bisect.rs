//! `cargo xtask bisect`.

use std::path::PathBuf;
use std::process::ExitCode;

use harness::bisect::{self, Found};
use harness::host::out;
use harness::record::results::{self, KnownFailures};
use harness::row;
use harness::row::range::Range;
use harness::series::claim::Claim;
use harness::{Env, Kind, Result};

use crate::base::BaseArgs;
use crate::given;
use crate::show::{line, show};
use crate::suites::{SuiteArgs, print_absent};

/// Find the patch, commit or version that changed a test's verdict
///
/// The verdict at the end of the row is looked for backwards by binary search.
/// Without --versions or --git, the row is the series of this repository.
///
/// Exit codes: 0 found, 1 not one: the test is flaky, or neighbours do not
/// build, 5 nothing changed it; the others as for every subcommand.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The test: kut/CONFIGURATION/TEST, kut/TEST, conformance/CASE or migration/CASE
    #[arg(value_name = "TEST")]
    test: String,
    #[command(flatten)]
    base: BaseArgs,
    #[command(flatten)]
    suites: SuiteArgs,
    /// Search this folder of patches [default: patches/qemu-VERSION]
    #[arg(long, value_name = "DIR", conflicts_with_all = ["versions", "git"])]
    series: Option<PathBuf>,
    /// Search released versions, oldest first, such as 7.2,10.0.13,10.2.2
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = given::base,
          conflicts_with_all = ["git", "base", "qemu_src"])]
    versions: Vec<String>,
    /// Search the commits A..B of the checkout that --qemu-src names
    #[arg(long, value_name = "A..B", requires = "qemu_src")]
    git: Option<String>,
    /// Print the search as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let claim = Claim::parse(&args.test)?;
    bisect::exists(&claim)?;
    args.suites.check(env, &[claim.suite().to_owned()])?;
    let mut lab = args.suites.lab(env);
    let points = match (&args.git, args.base.request().dir) {
        (Some(range), Some(dir)) => {
            let range = Range::read(env, &dir, range)?;
            let points = range.points();
            lab = lab.with_range(range);
            points
        }
        _ if !args.versions.is_empty() => row::versions(env, &args.versions)?,
        _ => row::of_series(env, &args.base.request(), args.series.as_deref())?,
    };
    let found = bisect::bisect(&mut lab, &points, &claim, &mut |point, seen| {
        env.console.note(format_args!("{}: {}", point.name, bisect::describe(seen)));
    })?;
    print_absent(lab.absent());
    if args.json {
        out::line(serde_json::to_string_pretty(&found).unwrap_or_default());
    } else {
        show(&bisect::text(&found));
        // Equal attempts may be luck.
        let known = KnownFailures::load(&results::folder(&env.repo))?;
        if let Some(known) = known.wavers(claim.suite(), claim.pattern()) {
            line(format_args!("known to differ from run to run: {}", known.reason));
        }
    }
    Ok(ExitCode::from(match found.found {
        Found::Change { .. } => 0,
        Found::Among { .. } | Found::Flaky { .. } => Kind::Regression.exit_code(),
        Found::Nowhere => Kind::NothingRan.exit_code(),
    }))
}
