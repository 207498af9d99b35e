//! The processors that the model is run for when no executor sets one: with
//! everything, with nothing optional, and with what unpatched TCG offers.

use alloc::vec::Vec;

use crate::case::Case;
use crate::cpu::{CpuFeature, CpuSet, Platform};

/// A processor with every feature that the model knows.
pub const FULL: Platform =
    Platform { features: CpuSet::of(CpuFeature::ALL), phys_bits: 40, asids: 16 };

/// A processor with SVM and what a 64-bit host cannot do without.
pub const BARE: Platform =
    Platform { features: CpuSet::of(&[CpuFeature::Svm, CpuFeature::Nx]), phys_bits: 40, asids: 16 };

/// What the case's executor would offer of a processor: `None` where the case
/// needs more.
pub fn platform_for(case: &Case, base: &Platform) -> Option<Platform> {
    let features = base.features.minus(case.cpu.without);
    features.includes(case.cpu.needs).then_some(Platform { features, ..*base })
}

/// The processors of this module that a case can run on.
pub fn platforms_for(case: &Case) -> Vec<Platform> {
    let with_needs = Platform { features: BARE.features.union(case.cpu.needs), ..BARE };
    [FULL, with_needs].iter().filter_map(|p| platform_for(case, p)).collect()
}
