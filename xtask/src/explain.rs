//! `cargo xtask explain`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use harness::explain::page;
use harness::explain::running::Running;
use harness::explain::{self, Around, Explanation, Verdict, cpu};
use harness::host::error::Context;
use harness::host::out;
use harness::{Error, Kind, Result};

use crate::show::show;

/// What a VMCB says, whether VMRUN would refuse it and why, and what its last exit was; exit
/// code 1 where it would
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A page of 4 KiB, as a debugger or QEMU's pmemsave writes it; - for hex on standard input
    #[arg(value_name = "FILE", required_unless_present = "qmp", conflicts_with = "qmp")]
    file: Option<PathBuf>,
    /// The processor, as QEMU's -cpu names it: max, EPYC, EPYC-Rome, EPYC-Milan, EPYC-Genoa,
    /// EPYC-Turin, then +FEATURE, -FEATURE, phys-bits=N; with --qmp, the number of one
    /// [default: max, or 0]
    #[arg(long, value_name = "MODEL|N")]
    cpu: Option<String>,
    /// Look at a running QEMU, whose QMP listens at this socket; it is stopped meanwhile
    #[arg(long, value_name = "SOCKET")]
    qmp: Option<PathBuf>,
    /// Where the VMCB is, for a QEMU that does not say
    #[arg(long, value_name = "ADDRESS", conflicts_with = "file", value_parser = address)]
    at: Option<u64>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

fn address(text: &str) -> Result<u64, String> {
    let number = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(number, 16).map_err(|_| "no address in hex".into())
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let explained = match (&args.qmp, &args.file) {
        (Some(socket), _) => running(args, socket)?,
        (_, Some(file)) => read(args, file)?,
        _ => return Err(Error::new(Kind::Usage, "which VMCB? a file, - or --qmp SOCKET")),
    };
    if args.json {
        let text = serde_json::to_string_pretty(&explained);
        out::line(text.doing(Kind::Harness, || "writing JSON".into())?);
    } else {
        show(&explain::text(&explained));
    }
    let refused = explained.verdict == Verdict::Refused;
    Ok(ExitCode::from(if refused { Kind::Regression.exit_code() } else { 0 }))
}

fn read(args: &Args, file: &Path) -> Result<Explanation> {
    let name = args.cpu.as_deref().unwrap_or("max");
    let cpu = cpu::named(name)?;
    let page = if file == Path::new("-") { page::standard_input()? } else { page::file(file)? };
    Ok(explain::explain(&page, &cpu, name, Around::default()))
}

fn running(args: &Args, socket: &Path) -> Result<Explanation> {
    let number = args.cpu.as_deref().unwrap_or("0");
    let wrong = || Error::new(Kind::Usage, format!("--cpu {number}: with --qmp, a number"));
    let mut qemu = Running::stop(socket, number.parse().map_err(|_| wrong())?)?;
    let cpu = qemu.platform()?;
    let at = match args.at {
        Some(at) => at,
        None => qemu.vmcb()?,
    };
    let page = qemu.page(at)?;
    let mut memory = |at| qemu.word(at);
    let around = Around { memory: Some(&mut memory) };
    let name = format!("processor {number} of that QEMU; the VMCB is at {at:#x}");
    Ok(explain::explain(&page, &cpu, &name, around))
}
