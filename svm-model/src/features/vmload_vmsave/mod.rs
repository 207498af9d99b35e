//! VMLOAD and VMSAVE, and their virtualisation (15.5.2, 15.33.1).

pub(crate) mod cases;
pub(crate) mod device_written;
pub(crate) mod model;
mod mutants;
pub mod rules;
pub(crate) mod written;

use crate::arch::cpu::{CpuFeature, Platform};
use crate::arch::virt_ext;
use crate::arch::vmcb::{Field, Image};
use crate::rules::Trace;

/// Whether CPUID offers it.
pub(crate) fn supported(platform: &Platform) -> bool {
    platform.features.has(CpuFeature::VirtVmload)
}

/// Whether it is on for a guest: the VMCB asks for it, and CPUID offers it.
pub(crate) fn active(t: &mut Trace, platform: &Platform, v: &Image) -> bool {
    let asked = v.get(Field::VIRT_EXT) & virt_ext::VMLOAD_VMSAVE != 0;
    asked && t.rule(rules::VLS_SUPPORTED, supported(platform))
}
