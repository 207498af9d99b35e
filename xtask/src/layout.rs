//! `cargo xtask layout`.

use std::process::ExitCode;

use harness::host::setup::{self, Need};
use harness::qemu::layout;
use harness::qemu::source;
use harness::{Env, Result};

use crate::base::BaseArgs;
use crate::show::show;

/// Compare the model's VMCB with a QEMU tree's svm.h; exits with 1 where they differ
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    base: BaseArgs,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let request = args.base.request();
    // A tree of the user's own is only read: one header of it is enough.
    let tree = match request.dir {
        Some(dir) => dir,
        None => source::obtain(env, &request)?.dir,
    };
    setup::require(env, &[Need::Bindgen])?;
    let report = layout::check(&tree)?;
    show(&format!("{report}\n"));
    Ok(ExitCode::from(u8::from(report.disagreements() > 0)))
}
