//! The flags that name the binaries of both sides, shared by every subcommand
//! that compares them.

use std::path::PathBuf;

use harness::qemu::build::{self, Built, Flavour, Spec, patch};
use harness::qemu::source::{self, Source};
use harness::qemu::{Qemu, Side};
use harness::{Env, Result};

use crate::base::BaseArgs;

/// Which QEMUs: built, or given.
#[derive(clap::Args)]
pub(crate) struct BinaryArgs {
    #[command(flatten)]
    pub(crate) base: BaseArgs,
    /// How it is compiled: release, debug, asan or gcov
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
        let given = |side| match side {
            Side::Stock => &self.stock_qemu,
            Side::Patched => &self.qemu,
        };
        // One source for both, and none where both binaries are given.
        let all_given = sides.iter().all(|&side| given(side).is_some());
        let source =
            if all_given { None } else { Some(source::obtain(env, &self.base.request())?) };
        let mut qemus = Vec::new();
        for &side in sides {
            qemus.push(match (given(side), &source) {
                (Some(path), _) => Qemu::given(side, path)?,
                (None, Some(source)) => Qemu::built(side, &self.built(env, side, source)?)?,
                (None, None) => continue,
            });
        }
        Ok(qemus)
    }

    fn built(&self, env: &Env, side: Side, source: &Source) -> Result<Built> {
        let patches = match side {
            Side::Stock => Vec::new(),
            Side::Patched => {
                let own = || env.series_dir(&source.major_minor());
                patch::series(&self.series.clone().unwrap_or_else(own))?
            }
        };
        build::build(env, &Spec { source: source.clone(), patches, flavour: self.flavour })
    }
}
