//! The bus lock threshold (15.14.5).

pub(crate) mod cases;
pub(crate) mod model;
mod mutants;
pub mod rules;
pub(crate) mod written;

use crate::arch::cpu::{CpuFeature, Platform};
use crate::arch::intercept;
use crate::arch::vmcb::{Field, Image};
use crate::rules::Trace;

/// Whether CPUID offers it.
pub(crate) fn supported(platform: &Platform) -> bool {
    platform.features.has(CpuFeature::BusLockThreshold)
}

/// Whether it is on for a guest: the VMCB asks for it, and CPUID offers it.
pub(crate) fn active(t: &mut Trace, platform: &Platform, v: &Image) -> bool {
    let set = v.get(Field::INTERCEPT_MISC3) & intercept::BUS_LOCK.mask() != 0;
    let asked = t.rule(rules::ENABLED, set);
    asked && t.rule(rules::SUPPORTED, supported(platform))
}
