//! `cargo xtask series verify`.

use std::path::PathBuf;
use std::process::ExitCode;

use harness::host::cache;
use harness::record::results;
use harness::series::record::{self, Record};
use harness::series::verify::{self, Coverage, Fault, Request, Verified};
use harness::series::{Series, write};
use harness::{Env, Error, Kind, Result};

use super::Which;
use crate::given;
use crate::show::line;
use crate::suites::{SuiteArgs, print_absent};

/// Build along the series and check that each patch flips what it says
///
/// The conformance suite runs at every patch. The others run at the start, at
/// the end and where a part of the series ends; between, only the tests that
/// patches name and those that differ run, until it is known where they change.
/// What was measured where is said at the end. What changes is tried three times.
///
/// Binaries and verdicts are kept, so an interrupted walk goes on where it
/// stopped, and a walk after a change of patch N begins to build at N.
///
/// Exit codes: 0 every patch does what series.toml says and nothing gets worse,
/// 1 one does not, 4 one does not build.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    suites: SuiteArgs,
    /// The first patch to verify
    #[arg(long, value_name = "N", default_value_t = 1)]
    from: usize,
    /// The last patch to verify [default: the last]
    #[arg(long, value_name = "N")]
    to: Option<usize>,
    /// Only this suite (may be given several times)
    #[arg(long, value_name = "SUITE", value_parser = given::suite())]
    suite: Vec<String>,
    /// Run every suite at every patch; takes hours
    #[arg(long)]
    thorough: bool,
    /// Put the claims in series.toml right: what does not hold goes, what was
    /// seen is added
    #[arg(long)]
    write: bool,
    /// Attempts at each test
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// Write down in results/ what was verified, if nothing was left out
    #[arg(long)]
    record: bool,
    /// Write everything to this file as JSON
    #[arg(long, value_name = "FILE", value_parser = given::file())]
    json: Option<PathBuf>,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let series = args.which.series(env)?;
    let request = request(args, &series)?;
    args.suites.check(env, &args.suite)?;
    let source = args.which.source(env)?;
    let base = source.version.clone();
    let record_path = record::path(&results::folder(&env.repo), &source.major_minor());
    let mut lab = args.suites.lab(env);
    let points = series.points(source);
    let walk = verify::verify(&mut lab, &env.console, &series, &points, &request, print_patch)?;
    print_absent(lab.absent());
    walk.coverage.iter().for_each(print_coverage);
    let faults: Vec<&Fault> = walk.patches.iter().flat_map(|v| &v.faults).collect();
    line(format_args!(
        "{} of {} patches verified, {}",
        walk.patches.len(),
        series.patches.len(),
        match faults.len() {
            0 => "all as series.toml says".into(),
            1 => "1 fault".into(),
            n => format!("{n} faults"),
        }
    ));
    if let Some(path) = &args.json {
        let text = serde_json::to_vec_pretty(&walk).map_err(|e| {
            Error::new(Kind::Harness, format!("writing {}", path.display())).because(e)
        })?;
        cache::write_named(path, &text)?;
    }
    if args.record && faults.is_empty() {
        let whole = Record::of(&series, &walk.patches, &base, lab.suites().to_vec())?;
        whole.save(&record_path)?;
        env.console.note(format_args!("recorded {}", record_path.display()));
    }
    if args.write
        && let Some(path) = write::save(&series, &walk.patches)?
    {
        env.console.note(format_args!("wrote {}; look at the difference", path.display()));
    }
    let left = |f: &&Fault| !(args.write && f.is_of_the_claims());
    let left: Vec<&Fault> = faults.into_iter().filter(left).collect();
    let broken = left.iter().any(|f| matches!(f, Fault::Broken { .. }));
    Ok(ExitCode::from(match (left.is_empty(), broken) {
        (true, _) => 0,
        (_, true) => Kind::Build.exit_code(),
        (_, false) => Kind::Regression.exit_code(),
    }))
}

fn request(args: &Args, series: &Series) -> Result<Request> {
    let last = series.patches.len();
    let request = Request {
        from: args.from,
        to: args.to.unwrap_or(last),
        suites: args.suite.clone(),
        thorough: args.thorough,
        repeat: args.repeat,
    };
    request.check(last)?;
    if args.record && !request.is_whole(last) {
        return Err(Error::new(Kind::Usage, "recording a part of a verification")
            .hint("leave out --from, --to and --suite"));
    }
    Ok(request)
}

fn print_patch(verified: &Verified) {
    let measured: Vec<String> =
        verified.measured.iter().map(|(suite, n)| format!("{suite} {n}")).collect();
    line(format_args!("{} [{}]", verified.file, measured.join(", ")));
    for test in &verified.flipped {
        line(format_args!("  passes from here on: {test}"));
    }
    for note in &verified.notes {
        line(format_args!("  {note}"));
    }
    for fault in &verified.faults {
        line(format_args!("  WRONG: {fault}"));
    }
}

fn print_coverage(c: &Coverage) {
    let Coverage { suite, tests, points, elsewhere, .. } = c;
    if c.whole.len() == *points {
        line(format_args!("{suite}: all {tests} tests at each of {points} points"));
        return;
    }
    line(format_args!("{suite}: all {tests} tests at {}", c.whole.join(", ")));
    line(format_args!(
        "  at the other {} points: {elsewhere} tests, each where a patch names it or it changes",
        points - c.whole.len()
    ));
}
