//! Decode assists (15.8).

pub(crate) mod model;
pub mod rules;
pub(crate) mod written;

use crate::arch::cpu::{CpuFeature, Platform};

/// Whether CPUID offers it.
pub(crate) fn supported(platform: &Platform) -> bool {
    platform.features.has(CpuFeature::DecodeAssists)
}
