//! Next RIP (15.7.1).

pub mod rules;
pub(crate) mod model;

use crate::arch::cpu::{CpuFeature, Platform};

/// Whether CPUID offers it.
pub(crate) fn supported(platform: &Platform) -> bool {
    platform.features.has(CpuFeature::NripSave)
}
