//! Branches of 32-bit code, and LBR virtualisation on a CPU without it.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Lbrv;
use crate::arch::msr::DEBUGCTL;
use crate::case::listing::{JMP_TO_NEXT, raw};
use crate::case::mode::Mode;
use crate::case::{Draft, Insn, world};
use crate::cpu::CpuFeature;
use crate::rules as r;
use crate::snapshot::HostReg;
use crate::vmcb::Field;

pub(crate) fn cases() -> Vec<Draft> {
    vec![
        Draft::new(Lbrv, "feature-off/lbrv")
            .about([r::lbrv::SUPPORTED, r::lbrv::SHARED])
            .without(&[CpuFeature::Lbrv])
            .program(&[Insn::Rdmsr(DEBUGCTL)])
            .set(Field::VIRT_EXT, 1)
            .set(Field::DBGCTL, 1)
            .set(Field::BR_FROM, 0x1111)
            .run()
            .ends()
            .host(HostReg::Rax, world::VMCB)
            .field(Field::RAX, 0)
            .field(Field::DBGCTL, 1)
            .field(Field::BR_FROM, 0x1111),
    ]
}

/// Where a relative jump leads outside 64-bit mode.
pub(crate) fn narrow() -> Vec<Draft> {
    let mode = Mode::Compatibility;
    let new = Draft::new(Lbrv, format!("lbr/jump-{}", mode.name()))
        .about(r::lbrv::RECORDS)
        .needs(&[CpuFeature::Lbrv])
        .program(&[raw(JMP_TO_NEXT)])
        .set(Field::VIRT_EXT, 1)
        .set(Field::DBGCTL, 1);
    let new = mode.enter(new, world::L2_CODE, false).run().ends();
    vec![new.field(Field::BR_FROM, world::L2_CODE).field(Field::BR_TO, world::L2_CODE + 2)]
}
