//! `cargo xtask series`.

mod export;
mod lint;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use harness::qemu::source::{self, Source};
use harness::series::Series;
use harness::{Env, Result};

use crate::base::BaseArgs;

/// Check and send the patch series of this repository
///
/// Exit codes: 0 the series is as it should be, 1 it is not; the others as for
/// every subcommand.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Export(export::Args),
    Lint(lint::Args),
    Verify(Box<verify::Args>),
}

/// Which series, and for which QEMU.
#[derive(clap::Args)]
pub(crate) struct Which {
    #[command(flatten)]
    base: BaseArgs,
    /// A folder with patches and series.toml [default: patches/qemu-VERSION]
    #[arg(long, value_name = "DIR")]
    series: Option<PathBuf>,
}

impl Which {
    /// The series, and the source that it is for.
    pub(crate) fn load(&self, env: &Env) -> Result<(Series, Source)> {
        Ok((self.series(env)?, self.source(env)?))
    }

    /// The series, which is read first: a slip in it should not cost a download.
    pub(crate) fn series(&self, env: &Env) -> Result<Series> {
        match &self.series {
            Some(dir) => Series::load(dir),
            None => Series::load(&env.series_of(&source::version(&self.base.request())?)),
        }
    }

    /// The source.
    pub(crate) fn source(&self, env: &Env) -> Result<Source> {
        source::obtain(env, &self.base.request())
    }
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::Export(args) => export::run(env, args),
        Command::Lint(args) => lint::run(env, args),
        Command::Verify(args) => verify::run(env, args),
    }
}
