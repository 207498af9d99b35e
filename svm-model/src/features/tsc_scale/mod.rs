//! TSC offset and TSC ratio (15.30.5).

pub(crate) mod cases;
pub(crate) mod model;
pub mod rules;
pub(crate) mod written;

use crate::arch::cpu::{CpuFeature, Platform};

/// Whether CPUID offers it.
pub(crate) fn supported(platform: &Platform) -> bool {
    platform.features.has(CpuFeature::TscScale)
}
