//! `cargo xtask example`.

use std::process::ExitCode;

use harness::qemu::Side;
use harness::{Env, Kind, Result, example};

use crate::binaries::BinaryArgs;
use crate::show::show;

/// Run the example of a hypervisor (harness/example) in a QEMU: patched, or with --qemu any; exit
/// code 1 where its guest does not come through, with what its VMCB says
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    binaries: BinaryArgs,
    /// On stock QEMU, where it fails
    #[arg(long)]
    stock: bool,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let side = if args.stock { Side::Stock } else { Side::Patched };
    let mut good = true;
    for qemu in args.binaries.qemus(env, &[side])? {
        let ran = example::run(env, &qemu)?;
        let mut text = ran.lines.join("\n") + "\n";
        if let Some(explained) = &ran.explained {
            text += &harness::explain::last(explained);
        }
        show(&text);
        good &= ran.good;
    }
    Ok(ExitCode::from(if good { 0 } else { Kind::Regression.exit_code() }))
}
