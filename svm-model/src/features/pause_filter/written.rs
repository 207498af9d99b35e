//! The PAUSE filter, and its threshold, on a CPU without them.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::PauseFilter;
use crate::case::{Draft, Insn};
use crate::cpu::CpuFeature;
use crate::rules as r;
use crate::vmcb::{Field, exit};

pub(crate) fn cases() -> Vec<Draft> {
    let off = |id: &str, cpu: CpuFeature, threshold: u64| {
        Draft::new(PauseFilter, format!("feature-off/{id}"))
            .without(&[cpu])
            .program(&[Insn::Pause, Insn::Pause, Insn::Pause, Insn::Pause])
            .set(Field::PAUSE_FILTER_COUNT, 2)
            .set(Field::PAUSE_FILTER_THRESHOLD, threshold)
            .intercept(exit::PAUSE)
            .run()
            .exits(exit::PAUSE)
    };
    vec![
        off("pause-filter", CpuFeature::PauseFilter, 0).about(r::pause_filter::SUPPORTED).at(0),
        // Every PAUSE comes later than one tick behind the last.
        off("pfthreshold", CpuFeature::PfThreshold, 1).about(r::pause_filter::THRESHOLD).at(2),
    ]
}
