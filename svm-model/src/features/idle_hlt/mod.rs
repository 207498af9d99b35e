//! The idle HLT intercept (15.9, Table 15-7).

pub(crate) mod cases;
pub(crate) mod model;
pub mod rules;
pub(crate) mod written;

use crate::arch::cpu::{CpuFeature, Platform};
use crate::arch::intercept;
use crate::arch::vmcb::{Field, Image};
use crate::rules::Trace;

/// Whether CPUID offers it.
pub(crate) fn supported(platform: &Platform) -> bool {
    platform.features.has(CpuFeature::IdleHlt)
}

/// Whether it is on for a guest: the VMCB asks for it, and CPUID offers it.
pub(crate) fn active(t: &mut Trace, platform: &Platform, v: &Image) -> bool {
    let asked = v.get(Field::INTERCEPT_MISC3) & intercept::IDLE_HLT.mask() != 0;
    asked && t.rule(rules::SUPPORTED, supported(platform))
}
