//! `cargo xtask confine`: what the script that stands for a stranger's QEMU calls.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use harness::Result;
use harness::host::sandbox;

/// Start a program in a sandbox, as a file in FOLDER says
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder with the description
    folder: PathBuf,
    /// The program's arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    sandbox::confine(&args.folder, &args.args)
}
