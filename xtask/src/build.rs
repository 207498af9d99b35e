//! `cargo xtask build`.

use std::path::PathBuf;
use std::process::ExitCode;

use harness::exec::place;
use harness::host::out;
use harness::qemu::Side;
use harness::qemu::build::{self, Flavour, Spec};
use harness::qemu::source;
use harness::{Env, Error, Kind, Result};

use crate::base::BaseArgs;

/// Build QEMU, stock or with the series
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Without patches, or with the series for this base
    which: Which,
    #[command(flatten)]
    base: BaseArgs,
    /// How it is compiled: release, debug, asan, gcov, trace or full
    #[arg(long, default_value_t)]
    flavour: Flavour,
    /// A folder of patches, instead of patches/qemu-VERSION
    #[arg(long, value_name = "DIR")]
    series: Option<PathBuf>,
    /// Print the binary's path, and nothing else, on stdout
    #[arg(long)]
    print_path: bool,
    /// Print what the executor c is compiled from, as SOURCE:BUILD, and nothing else, on stdout
    #[arg(long, conflicts_with = "print_path")]
    print_c: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq)]
enum Which {
    Stock,
    Patched,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let side = match args.which {
        Which::Stock => Side::Stock,
        Which::Patched => Side::Patched,
    };
    let (request, series) = (args.base.request(), args.series.as_deref());
    if side == Side::Stock && series.is_some() {
        let what = "stock is without patches: --series goes with `build patched`";
        return Err(Error::new(Kind::Usage, what));
    }
    args.flavour.check(&source::version(&request)?)?;
    Spec::check(env, side, &request, series)?;
    let source = source::obtain(env, &request)?;
    let spec = Spec::of_side(env, side, source, series, args.flavour)?;
    if args.print_c {
        let (source, build) = place::c_tree(env, &spec)?;
        out::line(format_args!("{}:{}", source.display(), build.display()));
        return Ok(ExitCode::SUCCESS);
    }
    let built = build::build(env, &spec)?;
    if args.print_path {
        out::path(&built.path);
        return Ok(ExitCode::SUCCESS);
    }
    out::line(format_args!(
        "QEMU {} ({}, {})",
        built.qemu_version, built.series_hash, built.flavour
    ));
    out::line(format_args!("  binary    {}", built.path.display()));
    out::line(format_args!("  id        {}", built.id));
    out::line(format_args!("  compiler  {}", built.compiler));
    for dir in &built.firmware {
        out::line(format_args!("  firmware  -L {}", dir.display()));
    }
    Ok(ExitCode::SUCCESS)
}
