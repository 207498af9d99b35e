//! `cargo xtask watch`.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use harness::watch::count::Counts;
use harness::watch::follow::{self, Look, Options, Which};
use harness::watch::{records, table};
use harness::{Env, Kind, Result};

use crate::show::show;

/// Follow a QEMU with the series, built with `--flavour trace`: its exits by code, with rates and
/// times, and why VMRUN refuses VMCBs; with --check also whether that is what the manual says
///
/// A table on a terminal, a line an interval elsewhere, and a summary at the end: when QEMU ends,
/// after --for, or at Ctrl-C. A QEMU that was running goes on as it was found. Exit code 1 where
/// --check has found something.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A running QEMU, whose QMP listens at this socket
    #[arg(long, value_name = "SOCKET", conflicts_with = "qemu", required_unless_present = "qemu")]
    qmp: Option<PathBuf>,
    /// Start this one: a program and its arguments
    #[arg(value_name = "QEMU ARGS", last = true)]
    qemu: Vec<String>,
    /// Stand the model beside each VMRUN and each #VMEXIT
    #[arg(long)]
    check: bool,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    interval: Duration,
    /// End after so many seconds
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    limit: Option<Duration>,
    /// A line of JSON an interval, and one for all
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse::<f64>().ok().filter(|number| (0.1..=1e6).contains(number));
    number.map(Duration::from_secs_f64).ok_or_else(|| "seconds from 0.1 on".into())
}

pub(crate) fn run(env: &Env, args: Args) -> Result<ExitCode> {
    let live = !args.json && std::io::stdout().is_terminal();
    let which = match args.qmp {
        Some(socket) => Which::Running(socket),
        None => Which::Start(args.qemu),
    };
    let Args { check, interval, limit, json, .. } = args;
    let options = Options { which, interval, limit, check };
    let seen = follow::follow(&options, &mut |look| print(look, json, live))?;
    let nothing = Counts::default();
    let all = seen.look(&nothing);
    if live {
        clear();
    }
    show(&if json { records::summary(&all) } else { table::table(&all, None) });
    seen.notes.iter().for_each(|note| env.console.note(note));
    let code = if seen.differs() { Kind::Regression.exit_code() } else { 0 };
    Ok(ExitCode::from(code))
}

fn print(look: &Look<'_>, json: bool, live: bool) {
    if json {
        show(&records::interval(look));
    } else if live {
        clear();
        show(&table::table(look, table::rows()));
    } else {
        show(&table::brief(look));
    }
}

/// The screen, for the next table.
fn clear() {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(b"\x1b[H\x1b[2J");
    let _ = out.flush();
}
