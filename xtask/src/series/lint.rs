//! `cargo xtask series lint`.

use std::process::ExitCode;

use harness::host::out;
use harness::series::lint::{self, Finding};
use harness::{Env, Kind, Result};

use super::Which;
use crate::show::line;

/// Check form, messages and series.toml; builds nothing
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let (series, source) = args.which.load(env)?;
    let findings = lint::lint(&series, &source, &env.console)?;
    if args.json {
        out::line(serde_json::to_string_pretty(&findings).unwrap_or_default());
    } else {
        print(&findings, series.patches.len());
    }
    let worse = ExitCode::from(Kind::Regression.exit_code());
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { worse })
}

fn print(findings: &[Finding], patches: usize) {
    let mut last = "";
    for finding in findings {
        if finding.patch != last {
            line(&finding.patch);
            last = &finding.patch;
        }
        let what = finding.what.replace('\n', "\n  ");
        line(format_args!("  {}: {what}", finding.check.name()));
    }
    match findings.len() {
        0 => line(format_args!("{patches} patches, nothing to say")),
        n => line(format_args!("{patches} patches, {n} findings")),
    }
}
