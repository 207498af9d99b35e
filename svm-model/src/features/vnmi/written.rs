//! Virtual NMI on a CPU without it.

use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Vnmi;
use crate::arch::int_ctl;
use crate::case::{Draft, Insn};
use crate::cpu::CpuFeature;
use crate::rules as r;
use crate::vmcb::{Field, exit};

/// NMI and V_NMI_ENABLE.
const NMI: u64 = int_ctl::V_NMI | int_ctl::V_NMI_ENABLE;

pub(crate) fn cases() -> Vec<Draft> {
    let off = |id: &str| Draft::new(Vnmi, id).without(&[CpuFeature::Vnmi]);
    vec![
        off("feature-off/vnmi")
            .about(r::vnmi::SUPPORTED)
            .program(&[Insn::Nop])
            .set(Field::INT_CTL, NMI)
            .intercept(exit::NMI)
            .run()
            .ends(),
        // Nor does it need the NMI intercept.
        off("feature-off/vnmi-unintercepted")
            .about(r::vnmi::SUPPORTED)
            .set(Field::INT_CTL, NMI)
            .run()
            .ends(),
    ]
}
