//! `cargo xtask series verify`.

use std::path::PathBuf;
use std::process::ExitCode;

use harness::bench::along;
use harness::build::{Flavour, Spec};
use harness::select::Selection;
use harness::series::Series;
use harness::series::record::{self, Record};
use harness::series::verify::{self, Fault, Request, Verified};
use harness::{Env, Error, Kind, Result, cache, results};

use super::Which;
use crate::suites::{SuiteArgs, print_absent};

/// Build along the series and check that each patch flips what it says
///
/// All tests run at every step, unless flags choose some. Binaries and verdicts
/// are kept, so an interrupted walk goes on where it stopped, and a walk after
/// a change of patch N begins to build at N.
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
    #[arg(long, value_name = "SUITE")]
    suite: Vec<String>,
    /// Only the tests that series.toml names: quick, but blind to what gets worse
    #[arg(long)]
    claims_only: bool,
    /// Attempts at each test
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// Write down in results/ what was verified, if nothing was left out
    #[arg(long)]
    record: bool,
    /// Write everything to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let (series, source) = args.which.load(env)?;
    let request = request(args, &series)?;
    let base = source.version.clone();
    let record_path = record::path(&results::folder(&env.repo), &source.major_minor());
    let spec = Spec { source, patches: series.paths(), flavour: Flavour::Release };
    let points = along(&spec, &format!("stock {base}"));
    let mut lab = args.suites.lab(env);
    let verified = verify::verify(&mut lab, &env.console, &series, &points, &request, print_patch)?;
    print_absent(lab.absent());
    let faults: Vec<&Fault> = verified.iter().flat_map(|v| &v.faults).collect();
    println!(
        "{} of {} patches verified, {}",
        verified.len(),
        series.patches.len(),
        match faults.len() {
            0 => "all as series.toml says".into(),
            n => format!("{n} faults"),
        }
    );
    if let Some(path) = &args.json {
        let text = serde_json::to_vec_pretty(&verified).map_err(|e| {
            Error::new(Kind::Harness, format!("writing {}", path.display())).because(e)
        })?;
        cache::write_atomic(path, &text)?;
    }
    if args.record && faults.is_empty() {
        let whole = Record::of(&series, &verified, &base, lab.suites().to_vec())?;
        whole.save(&record_path)?;
        env.console.note(format_args!("recorded {}", record_path.display()));
    }
    let broken = faults.iter().any(|f| matches!(f, Fault::Broken { .. }));
    Ok(ExitCode::from(match (faults.is_empty(), broken) {
        (true, _) => 0,
        (_, true) => Kind::Build.exit_code(),
        (_, false) => Kind::Regression.exit_code(),
    }))
}

fn request(args: &Args, series: &Series) -> Result<Request> {
    let last = series.patches.len();
    let to = args.to.unwrap_or(last);
    if args.from == 0 || args.from > to || to > last {
        let what = format!("verifying patches {} to {to} of {last}", args.from);
        return Err(Error::new(Kind::Usage, what).hint("--from and --to count from 1"));
    }
    let part = args.from > 1 || to < last || args.claims_only || !args.suite.is_empty();
    if args.record && part {
        return Err(Error::new(Kind::Usage, "recording a part of a verification")
            .hint("leave out --from, --to, --suite and --claims-only"));
    }
    let claims = series.patches.iter().flat_map(|p| &p.entry.flips);
    let tests = match args.claims_only {
        true => claims.map(|c| c.pattern().to_string()).collect(),
        false => Vec::new(),
    };
    let selection = Selection { tests, suites: args.suite.clone(), ..Selection::default() };
    Ok(Request { from: args.from, to, selection, repeat: args.repeat })
}

fn print_patch(verified: &Verified) {
    println!("{}", verified.file);
    for test in &verified.flipped {
        println!("  passes from here on: {test}");
    }
    for note in &verified.notes {
        println!("  {note}");
    }
    for fault in &verified.faults {
        println!("  WRONG: {fault}");
    }
}
