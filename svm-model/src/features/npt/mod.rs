//! Nested paging (15.25).

pub(crate) mod cases;
pub(crate) mod la57_cases;
pub(crate) mod la57_written;
pub(crate) mod model;
mod mutants;
pub(crate) mod rmw_written;
pub mod rules;
pub(crate) mod walk_cases;
pub(crate) mod written;

use crate::arch::cpu::{CpuFeature, Platform};
use crate::arch::nested_ctl;
use crate::arch::vmcb::{Field, Image};
use crate::rules::{Trace, vmrun};

/// Whether CPUID offers it.
pub(crate) fn supported(platform: &Platform) -> bool {
    platform.features.has(CpuFeature::Npt)
}

/// Whether it is on for a guest, which it is where CPUID does not offer it, too.
pub(crate) fn active(t: &mut Trace, platform: &Platform, v: &Image) -> bool {
    let wanted = t.rule(rules::ENABLED, v.get(Field::NESTED_CTL) & nested_ctl::NP_ENABLE != 0);
    let offered = supported(platform);
    wanted && (t.rule(vmrun::NP_UNSUPPORTED, !offered) || offered)
}
