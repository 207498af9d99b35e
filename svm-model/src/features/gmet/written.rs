//! The guest mode execute trap on a CPU without it.

use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Gmet;
use crate::case::Draft;
use crate::cpu::CpuFeature;
use crate::rules as r;
use crate::vmcb::Field;

pub(crate) fn cases() -> Vec<Draft> {
    vec![
        // With it, supervisor code on user pages would not run.
        Draft::new(Gmet, "feature-off/gmet")
            .about(r::gmet::SUPPORTED)
            .without(&[CpuFeature::Gmet])
            .needs(&[CpuFeature::Npt])
            .also(Field::NESTED_CTL, 8)
            .run()
            .ends(),
    ]
}
