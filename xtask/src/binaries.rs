//! The flags that name the binaries of both sides, shared by every subcommand
//! that compares them.

use std::path::PathBuf;

use harness::qemu::build::Flavour;
use harness::qemu::{Qemu, Side, Wanted};
use harness::{Env, Result};

use crate::base::BaseArgs;

/// Which QEMUs: built, or given.
#[derive(clap::Args)]
pub(crate) struct BinaryArgs {
    #[command(flatten)]
    pub(crate) base: BaseArgs,
    /// How it is compiled: release, debug, asan, gcov, trace or full
    #[arg(long, default_value_t)]
    pub(crate) flavour: Flavour,
    /// A folder of patches, instead of patches/qemu-VERSION
    #[arg(long, value_name = "DIR")]
    pub(crate) series: Option<PathBuf>,
    /// A binary to use as patched instead of building it
    #[arg(long, value_name = "PATH")]
    pub(crate) qemu: Option<PathBuf>,
    /// A binary to use as stock instead of building it
    #[arg(long, value_name = "PATH")]
    pub(crate) stock_qemu: Option<PathBuf>,
}

impl BinaryArgs {
    /// The binaries of `sides`, in that order.
    pub(crate) fn qemus(&self, env: &Env, sides: &[Side]) -> Result<Vec<Qemu>> {
        let wanted = Wanted {
            source: self.base.request(),
            flavour: self.flavour,
            series: self.series.clone(),
            stock: self.stock_qemu.clone(),
            patched: self.qemu.clone(),
        };
        wanted.qemus(env, sides)
    }
}
