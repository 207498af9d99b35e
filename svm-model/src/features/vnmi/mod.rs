//! Virtual NMI (15.21.10).

pub(crate) mod cases;
pub(crate) mod model;
mod mutants;
pub mod rules;
pub(crate) mod written;

use crate::arch::cpu::{CpuFeature, Platform};
use crate::arch::int_ctl;
use crate::arch::vmcb::{Field, Image};
use crate::rules::Trace;

/// Whether CPUID offers it.
pub(crate) fn supported(platform: &Platform) -> bool {
    platform.features.has(CpuFeature::Vnmi)
}

/// Whether it is on for a guest: the VMCB asks for it, and CPUID offers it.
pub(crate) fn active(t: &mut Trace, platform: &Platform, v: &Image) -> bool {
    let asked = v.get(Field::INT_CTL) & int_ctl::V_NMI_ENABLE != 0;
    asked && t.rule(rules::SUPPORTED, supported(platform))
}
