//! `cargo xtask source`.

use std::process::ExitCode;

use harness::host::out;
use harness::qemu::source;
use harness::{Env, Result};

use crate::base::BaseArgs;

/// Get the QEMU source and print where it is
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    base: BaseArgs,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let source = source::obtain(env, &args.base.request())?;
    out::path(&source.dir);
    Ok(ExitCode::SUCCESS)
}
