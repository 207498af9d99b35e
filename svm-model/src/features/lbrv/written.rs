//! LBR virtualisation on a CPU without it.

use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Lbrv;
use crate::arch::msr::DEBUGCTL;
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
