//! `cargo xtask doctor`.

use std::process::ExitCode;

use harness::host::setup::doctor::State;
use harness::host::setup::{self, Need, doctor};
use harness::qemu::source::pins::Pins;
use harness::{Env, Kind, Result};

use crate::given;
use crate::show::line;

/// List everything that is needed, and whether it is there
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Install what is missing (as root, on Debian and its family)
    #[arg(long)]
    fix: bool,
    /// For this pinned QEMU version: 7.2 needs more than the others
    #[arg(long, value_name = "VERSION", value_parser = given::base)]
    base: Option<String>,
    /// For `package`, too: it needs libraries that nothing else does
    #[arg(long)]
    package: bool,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let older = Pins::builtin()?.base(args.base.as_deref())?.older;
    let mut more = if older { vec![Need::Older] } else { Vec::new() };
    if args.package {
        more.extend([Need::Full, Need::Package]);
    }
    if args.fix {
        let all = [Need::Source, Need::Build, Need::Run, Need::Bindgen, Need::Sandbox];
        setup::require(env, &[&all, &more[..]].concat())?;
    }
    let findings = doctor::examine(env, &more);
    for finding in &findings {
        let mark = match finding.state {
            State::There => "ok     ",
            State::Missing => "MISSING",
            State::Unneeded => "absent ",
        };
        line(format_args!("{mark}  {:17} {}", finding.name, finding.detail));
    }
    let missing = doctor::missing(&more);
    if !missing.is_empty() {
        let install = setup::install_line(&missing);
        line(format_args!("\ninstall what is missing with:\n  {install}"));
    }
    let ok = findings.iter().all(|f| f.state != State::Missing);
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::from(Kind::Setup.exit_code()) })
}
