//! `cargo xtask package`.

use std::path::PathBuf;
use std::process::ExitCode;

use harness::package::{self, Request, What};
use harness::{Env, Result};

use crate::base::BaseArgs;
use crate::given;
use crate::show::line;

/// Build QEMU with the series and every device, and pack it to be installed: a
/// Debian package, a tarball that runs wherever it is unpacked, and what makes
/// a container image of that
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    base: BaseArgs,
    /// A folder of patches, instead of patches/qemu-VERSION
    #[arg(long, value_name = "DIR")]
    series: Option<PathBuf>,
    /// The folder that gets the files
    #[arg(long, value_name = "DIR", default_value = "target/package", value_parser = given::folder())]
    out: PathBuf,
    /// Only this: deb or tarball (with what makes a container image)
    #[arg(long, value_name = "WHAT")]
    only: Option<What>,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let request = Request {
        source: args.base.request(),
        series: args.series.clone(),
        out: args.out.clone(),
        only: args.only,
    };
    for made in package::package(env, &request)? {
        let mebibytes = made.bytes as f64 / f64::from(1 << 20);
        line(format_args!("{mebibytes:7.2} MiB  {}", made.path.display()));
    }
    Ok(ExitCode::SUCCESS)
}
