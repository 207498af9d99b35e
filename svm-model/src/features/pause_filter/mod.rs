//! PAUSE intercept filter and threshold (15.14.4).

pub(crate) mod cases;
pub(crate) mod model;
mod mutants;
pub mod rules;
pub(crate) mod written;

use crate::arch::cpu::{CpuFeature, Platform};

/// Whether CPUID offers it.
pub(crate) fn supported(platform: &Platform) -> bool {
    platform.features.has(CpuFeature::PauseFilter)
}
