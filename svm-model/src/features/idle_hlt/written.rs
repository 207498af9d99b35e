//! The idle HLT intercept, and a CPU without it.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::IdleHlt;
use crate::arch::{flag, int_ctl};
use crate::case::{Draft, Event, Insn, world};
use crate::cpu::CpuFeature;
use crate::rules as r;
use crate::vmcb::{Field, exit};

/// IRQ and V_IGN_TPR.
const IRQ: u64 = int_ctl::V_IRQ | int_ctl::V_IGN_TPR;
/// V_NMI, V_NMI_MASK and V_NMI_ENABLE.
const V_NMI_HELD: u64 = int_ctl::V_NMI | int_ctl::V_NMI_MASK | int_ctl::V_NMI_ENABLE;
const RFLAGS_IF: u64 = flag::FIXED | flag::IF;

/// Where the instruction behind the HLT is.
const BEHIND: u64 = world::L2_CODE + 1;

pub(crate) fn cases() -> Vec<Draft> {
    let idle = |id: &str| {
        Draft::new(IdleHlt, format!("idle-hlt/{id}"))
            .needs(&[CpuFeature::IdleHlt])
            .program(&[Insn::Hlt])
            .intercept(exit::IDLE_HLT)
    };
    let pending = |id: &str| idle(id).set(Field::INT_STATE, 1).set(Field::RFLAGS, RFLAGS_IF);
    vec![
        idle("exits").about(r::idle_hlt::EXIT).run().exits(exit::IDLE_HLT).at(0),
        idle("next-rip")
            .about([r::nrip::INSTRUCTION, r::idle_hlt::EXIT])
            .needs(&[CpuFeature::NripSave])
            .run()
            .exits(exit::IDLE_HLT)
            .at(0)
            .field(Field::NRIP, BEHIND),
        idle("hlt-first")
            .about(r::idle_hlt::HLT_FIRST)
            .intercept(exit::HLT)
            .run()
            .exits(exit::HLT)
            .at(0),
        idle("cpl-first").about(r::intercepts::CPL_FIRST).user().run().takes(13, 0, world::L2_CODE),
        // HLT executes in the shadow, and ends with the interrupt that is pending.
        pending("virq-pending")
            .about(r::idle_hlt::V_IRQ)
            .set(Field::INT_CTL, IRQ)
            .set(Field::INT_VECTOR, 0x51)
            .run()
            .takes(0x51, 0, BEHIND),
        // A virtual NMI that is masked is pending all the same.
        pending("vnmi-pending")
            .about(r::idle_hlt::V_NMI)
            .needs(&[CpuFeature::Vnmi])
            .set(Field::INT_CTL, V_NMI_HELD)
            .intercept(exit::NMI)
            .clgi()
            .raise(Event::Intr(0x61))
            .run()
            .takes(0x61, 0, BEHIND),
    ]
}

/// Not intercepted, HLT executes, and ends with the interrupt.
pub(crate) fn off() -> Vec<Draft> {
    vec![
        Draft::new(IdleHlt, "feature-off/idle-hlt")
            .about(r::idle_hlt::SUPPORTED)
            .without(&[CpuFeature::IdleHlt])
            .program(&[Insn::Hlt])
            .intercept(exit::IDLE_HLT)
            .set(Field::INT_STATE, 1)
            .set(Field::RFLAGS, RFLAGS_IF)
            .clgi()
            .raise(Event::Intr(0x61))
            .run()
            .takes(0x61, 0, BEHIND),
    ]
}
