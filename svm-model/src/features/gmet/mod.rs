//! Guest mode execute trap (15.25.13).

pub(crate) mod cases;
pub(crate) mod model;
pub mod rules;
pub(crate) mod written;

use crate::arch::cpu::{CpuFeature, Platform};
use crate::arch::nested_ctl;
use crate::arch::vmcb::{Field, Image};
use crate::rules::Trace;

/// Whether CPUID offers it.
pub(crate) fn supported(platform: &Platform) -> bool {
    platform.features.has(CpuFeature::Gmet)
}

/// Whether it is on for a guest: the VMCB asks for it, and CPUID offers it.
pub(crate) fn active(t: &mut Trace, platform: &Platform, v: &Image) -> bool {
    let nested = v.get(Field::NESTED_CTL) & nested_ctl::NP_ENABLE != 0;
    let asked = nested && v.get(Field::NESTED_CTL) & nested_ctl::GMET_ENABLE != 0;
    asked && t.rule(rules::SUPPORTED, supported(platform))
}
