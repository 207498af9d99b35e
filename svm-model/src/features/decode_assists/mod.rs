//! Decode assists (15.8).

pub mod rules;
pub(crate) mod model;

use crate::arch::cpu::{CpuFeature, Platform};

/// Whether CPUID offers it.
pub(crate) fn supported(platform: &Platform) -> bool {
    platform.features.has(CpuFeature::DecodeAssists)
}
