//! The executor `c`: QEMU's own `target/i386` code, in process.
//!
//! Compiled against one QEMU tree (see `build.rs`), it is to a batch of cases
//! what a QEMU with the conformance guest in it is: it finds them in a RAM file,
//! does what they say, and writes down what it saw. What QEMU's translator,
//! helpers and page walks do is QEMU's code; what is behind them (memory, TLB,
//! local APIC, TCG's back end) is `shim/`. L1, which the guest is otherwise, is
//! here: it puts bytes into a slot and lets the CPU run them.
//!
//! What the shim does not have ends a case as open, never with a value made up:
//! I/O ports' values, memory-mapped devices, floating point and vectors, data
//! breakpoints, moving the local APIC, and whatever else QEMU's code calls that
//! is not compiled in.
//!
//! ```text
//! svm-cexec RAMFILE [--without LEAF:SUBLEAF:REGISTER:BIT]... [--explain]
//! ```

#[path = "../../../svm-model/src/case/layout.rs"]
#[allow(dead_code, unreachable_pub)]
mod layout;
#[path = "../../../svm-model/src/case/wire.rs"]
#[allow(dead_code, unreachable_pub)]
mod wire;

mod case;
mod l1;
mod output;
mod qemu;
mod ram;

use std::path::PathBuf;
use std::process::ExitCode;

use qemu::CpuidBit;
use ram::Ram;

/// The command line.
#[derive(Default)]
struct Options {
    ram: PathBuf,
    without: Vec<CpuidBit>,
    /// Say on stderr what each open case wanted.
    explain: bool,
}

fn main() -> ExitCode {
    let Some(options) = options(std::env::args().skip(1)) else {
        eprintln!("usage: svm-cexec RAMFILE [--without LEAF:SUBLEAF:REGISTER:BIT]... [--explain]");
        return ExitCode::from(2);
    };
    let ram = match Ram::open(&options.ram) {
        Ok(ram) => ram,
        Err(e) => {
            eprintln!("svm-cexec: mapping {}: {e}", options.ram.display());
            return ExitCode::from(6);
        }
    };
    if case::run_batch(ram, &options.without, options.explain).is_none() {
        eprintln!("svm-cexec: {} holds no batch of this version", options.ram.display());
        return ExitCode::from(6);
    }
    // As a QEMU ends whose guest has said so.
    ExitCode::from((wire::EXIT_VALUE << 1 | 1) as u8)
}

fn options(mut args: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options { ram: args.next()?.into(), ..Options::default() };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--explain" => options.explain = true,
            "--without" => options.without.push(cpuid_bit(&args.next()?)?),
            _ => return None,
        }
    }
    Some(options)
}

/// `8000000a:0:3:16`; leaf and subleaf are hexadecimal, the register counts from EAX.
fn cpuid_bit(text: &str) -> Option<CpuidBit> {
    let mut parts = text.split(':');
    let bit = CpuidBit {
        leaf: u32::from_str_radix(parts.next()?, 16).ok()?,
        subleaf: u32::from_str_radix(parts.next()?, 16).ok()?,
        reg: parts.next()?.parse().ok().filter(|r| *r < 4)?,
        bit: parts.next()?.parse().ok().filter(|b| *b < 32)?,
    };
    parts.next().is_none().then_some(bit)
}
