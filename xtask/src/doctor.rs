//! `cargo xtask doctor`.

use std::process::ExitCode;

use harness::host::setup::{self, Need, doctor};
use harness::{Env, Kind, Result};

/// List everything that is needed, and whether it is there
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Install what is missing (as root, on Debian and its family)
    #[arg(long)]
    fix: bool,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    if args.fix {
        let all = [Need::Source, Need::Build, Need::Run, Need::Bindgen, Need::Sandbox];
        setup::require(env, &all)?;
    }
    let findings = doctor::examine(env);
    for finding in &findings {
        let mark = if finding.ok { "ok     " } else { "MISSING" };
        println!("{mark}  {:17} {}", finding.name, finding.detail);
    }
    let missing = doctor::missing();
    if !missing.is_empty() {
        println!("\ninstall what is missing with:\n  {}", setup::install_line(&missing));
    }
    let ok = findings.iter().all(|f| f.ok);
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::from(Kind::Setup.exit_code()) })
}
