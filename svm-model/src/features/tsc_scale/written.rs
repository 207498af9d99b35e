//! The TSC ratio on a CPU without it.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::TscScale;
use crate::arch::msr::TSC_RATIO;
use crate::case::written::GP;
use crate::case::{Draft, Step};
use crate::cpu::CpuFeature;
use crate::rules as r;

pub(crate) fn cases() -> Vec<Draft> {
    let off = |id: &str, step| {
        Draft::new(TscScale, format!("feature-off/tsc-scale-{id}"))
            .about(r::tsc_scale::RATIO_SUPPORTED)
            .without(&[CpuFeature::TscScale])
            .step(step)
            .shows(GP)
    };
    vec![off("read", Step::Rdmsr(TSC_RATIO)), off("write", Step::Wrmsr(TSC_RATIO, 1 << 32))]
}
