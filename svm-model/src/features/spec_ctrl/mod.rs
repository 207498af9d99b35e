//! SPEC_CTRL virtualisation (15.37.1), and the register itself.

pub(crate) mod cases;
pub(crate) mod model;
pub mod rules;
pub(crate) mod written;

use crate::arch::cpu::{CpuFeature, Platform};
use crate::rules::Trace;

/// Whether CPUID offers it.
pub(crate) fn supported(platform: &Platform) -> bool {
    platform.features.has(CpuFeature::VirtSpecCtrl)
}

/// Whether the guest has its own: no control bit asks for it.
pub(crate) fn active(t: &mut Trace, platform: &Platform) -> bool {
    t.rule(rules::SUPPORTED, supported(platform))
}
