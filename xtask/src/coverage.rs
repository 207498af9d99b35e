//! `cargo xtask coverage`.

use std::path::PathBuf;
use std::process::ExitCode;

use harness::coverage;
use harness::host::cache;
use harness::qemu::build::{Flavour, Spec};
use harness::row::Point;
use harness::suites::select::Selection;
use harness::{Env, Error, Kind, Result};

use crate::given;
use crate::series::Which;
use crate::show::show;
use crate::suites::SuiteArgs;

/// Say which lines of QEMU's SVM code no suite reaches
///
/// Builds the patched QEMU with counters, runs the suites on it, and holds what
/// stays unreached against the reasons in harness/data/unreached.toml. Exit code 1
/// where a line is unreached and has no reason, or has one and is reached.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    suites: SuiteArgs,
    /// Only this suite (may be given several times)
    #[arg(long, value_name = "SUITE", value_parser = given::suite())]
    suite: Vec<String>,
    /// Also list the lines that have a reason
    #[arg(long, help_heading = "Output")]
    all: bool,
    /// Write everything to this file as JSON
    #[arg(long, value_name = "FILE", value_parser = given::file(), help_heading = "Output")]
    json: Option<PathBuf>,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    args.suites.check(env, &args.suite)?;
    let (series, source) = args.which.load(env)?;
    let spec = Spec { source, patches: series.paths(), flavour: Flavour::Gcov };
    let point = Point { name: "patched".into(), spec };
    let selection = Selection { suites: args.suite.clone(), ..Selection::default() };
    let request = args.suites.request(env, selection);
    let reached = coverage::measure(env, &point, request)?;
    if let Some(path) = &args.json {
        let text = serde_json::to_vec_pretty(&reached).map_err(|e| {
            Error::new(Kind::Harness, format!("writing {}", path.display())).because(e)
        })?;
        cache::write_named(path, &text)?;
    }
    show(&coverage::text(&reached, args.all));
    let good = reached.unexplained().next().is_none() && reached.stale.is_empty();
    Ok(ExitCode::from(u8::from(!good)))
}
