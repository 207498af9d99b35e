//! `cargo xtask hostile`.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use harness::exec::name::Name;
use harness::qemu::build::Flavour;
use harness::qemu::{Qemu, Side, Wanted};
use harness::record::results;
use harness::suites::hostile::beside::Beside;
use harness::suites::hostile::campaign::{self, Request};
use harness::suites::hostile::mode::Mode;
use harness::suites::hostile::{self, counts, text};
use harness::{Env, Error, Kind, Result};

use crate::base::BaseArgs;
use crate::show::{line, show};

/// Run VMCBs that no hypervisor would write, in every mode that QEMU has, with a second processor
/// that changes them and a hand at the monitor
///
/// Nothing is said of what comes of a VMRUN: QEMU must go on, answer its monitor, and end when it
/// is told to. What does not is made small and printed with the command that shows it again.
/// Ctrl-C ends it early, with what there is. Exit code 1 where something was found.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The QEMU: qemu:patched, qemu:stock or qemu:PATH
    #[arg(long, value_name = "EXECUTOR", default_value = "qemu:patched")]
    on: Name,
    #[command(flatten)]
    base: BaseArgs,
    /// How a built one is compiled: release, debug, asan or gcov
    #[arg(long, default_value_t)]
    flavour: Flavour,

    /// VMRUNs, at least
    #[arg(long, value_name = "N", default_value_t = 100_000,
          value_parser = clap::value_parser!(u64).range(1..))]
    vmruns: u64,
    /// Seed of all attempts [default: the time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The first attempt's number
    #[arg(long, value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u64).range(..=1 << 48))]
    first: u64,
    /// Attempts, and no more, however many VMRUNs that are
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1 << 48))]
    attempts: Option<u64>,
    /// The changes of the attempt that are made, as a finding prints them
    #[arg(long, value_name = "HEX", requires = "attempts")]
    keep: Option<String>,

    /// Kinds of attempts, in turn: random, flipped, places, events [default: all]
    #[arg(long, value_name = "KIND", value_parser = hostile::KINDS, value_delimiter = ',')]
    kind: Vec<String>,
    /// Modes, in turn: mttcg, single, one-insn, icount, replay [default: all]
    #[arg(long, value_name = "MODE", value_delimiter = ',')]
    mode: Vec<Mode>,
    /// Processors, in turn; the second changes what the first uses
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,2",
          value_parser = clap::value_parser!(u32).range(1..=2))]
    processors: Vec<u32>,
    /// What is done beside, in turn: nothing, monitor, gdb [default: all; nothing with --attempts]
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    beside: Vec<Beside>,
    /// Seconds without an answer that are too many
    #[arg(long, value_name = "SECONDS", default_value_t = hostile::PATIENCE.as_secs(),
          value_parser = clap::value_parser!(u64).range(1..))]
    patience: u64,
    /// Print what is found as it is, without making it small
    #[arg(long)]
    as_found: bool,

    /// Add the counts to results/hostile.json
    #[arg(long, help_heading = "Output")]
    record: bool,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let request = request(args)?;
    let qemu = qemu(env, args)?;
    let guest = hostile::build(&env.repo)?;
    let report = campaign::run(&env.console, &qemu, &guest, &request)?;
    show(&text::report(&report, &args.on.to_string()));
    line(format_args!("seed {}; the next attempt is {}", request.seed, report.next));
    if args.record {
        let path = counts::add(&results::folder(&env.repo), &qemu.build, &report)?;
        env.console.note(format_args!("recorded {}", path.display()));
    }
    let good = report.findings.is_empty();
    Ok(ExitCode::from(if good { 0 } else { Kind::Regression.exit_code() }))
}

fn qemu(env: &Env, args: &Args) -> Result<Qemu> {
    let side = match &args.on {
        Name::Qemu(side) => *side,
        Name::Binary(path) => return Qemu::named(path),
        other => {
            let what = format!("{other} has no machine that a guest could be hostile in");
            return Err(Error::new(Kind::Usage, what).hint("--on qemu:patched"));
        }
    };
    let wanted = Wanted {
        source: args.base.request(),
        flavour: args.flavour,
        series: None,
        stock: None,
        patched: None,
    };
    let one = |side: Side| wanted.qemus(env, &[side]);
    one(side)?.pop().ok_or_else(|| Error::new(Kind::Harness, "no QEMU was built"))
}

fn request(args: &Args) -> Result<Request> {
    let keep = match &args.keep {
        None => None,
        Some(hex) => Some(text::keep(hex).ok_or_else(|| {
            Error::new(Kind::Usage, format!("--keep {hex}: no such number of changes"))
                .hint("it is hexadecimal, as a finding prints it")
        })?),
    };
    let kinds = args.kind.iter().filter_map(|kind| hostile::KINDS.iter().position(|k| k == kind));
    let beside = match (&*args.beside, args.attempts) {
        ([], Some(_)) => vec![Beside::Nothing],
        ([], None) => Beside::ALL.to_vec(),
        (some, _) => some.to_vec(),
    };
    let now = || SystemTime::UNIX_EPOCH.elapsed().map_or(0, |t| t.as_secs());
    Ok(Request {
        vmruns: args.attempts.map_or(args.vmruns, |_| u64::MAX),
        seed: args.seed.unwrap_or_else(now),
        first: args.first,
        attempts: args.attempts,
        keep,
        kinds: kinds.map(|n| 1 << n).sum(),
        modes: if args.mode.is_empty() { Mode::ALL.to_vec() } else { args.mode.clone() },
        processors: args.processors.clone(),
        beside,
        patience: Duration::from_secs(args.patience),
        shrink: !args.as_found,
    })
}
