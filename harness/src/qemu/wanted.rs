//! The binaries of both sides: built, or given.

use std::path::PathBuf;

use super::build::{self, Flavour, Spec};
use super::source::{self, Request};
use super::{Qemu, Side};
use crate::{Env, Result};

/// Which binaries.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The source of what is built.
    pub source: Request,
    /// How that is compiled.
    pub flavour: Flavour,
    /// A folder of patches, instead of the series of this repository.
    pub series: Option<PathBuf>,
    /// A binary to use as stock.
    pub stock: Option<PathBuf>,
    /// A binary to use as patched.
    pub patched: Option<PathBuf>,
}

impl Wanted {
    /// The binaries of `sides`, in that order.
    ///
    /// # Errors
    /// As [`source::obtain`] and [`build::build`]; Usage, for a binary that is no
    /// QEMU.
    pub fn qemus(&self, env: &Env, sides: &[Side]) -> Result<Vec<Qemu>> {
        let given = |side| match side {
            Side::Stock => &self.stock,
            Side::Patched => &self.patched,
        };
        // What is given is looked at before anything else is fetched or built.
        let mut looked_at = Vec::new();
        for &side in sides {
            let given = given(side).as_ref().map(|path| Qemu::given(side, path)).transpose()?;
            if given.is_none() {
                self.flavour.check(&source::version(&self.source)?)?;
                Spec::check(env, side, &self.source, self.series.as_deref())?;
            }
            looked_at.push((side, given));
        }
        // One source for both, and none where both binaries are given.
        let mut source = None;
        let mut qemus = Vec::new();
        for (side, given) in looked_at {
            if let Some(qemu) = given {
                qemus.push(qemu);
                continue;
            }
            let source = match &source {
                Some(source) => source,
                None => source.insert(source::obtain(env, &self.source)?),
            };
            let series = self.series.as_deref();
            let spec = Spec::of_side(env, side, source.clone(), series, self.flavour)?;
            qemus.push(Qemu::built(side, &build::build(env, &spec)?)?);
        }
        Ok(qemus)
    }
}
