//! The flags that an instruction has found, and has to leave alone if it faults: what it faults
//! with shows them to a hypervisor, and it will find them again.

use alloc::format;
use alloc::vec::Vec;

use crate::Feature::{Intercepts, Npt};
use crate::arch::flag;
use crate::case::listing::{CARRY, INSB, LAR_EAX, LSL_EAX, OUTSB, VERR_EAX, VERW_EAX, raw};
use crate::case::{About, Draft, Insn, world};
use crate::cpu::CpuFeature;
use crate::vmcb::{Field, exit};

const GP: u64 = exit::EXCP + 13;
/// What [`CARRY`] leaves, in EAX the selector that is looked at.
const LEFT: u64 = flag::FIXED | flag::CF | flag::AF;

pub(crate) fn cases() -> Vec<Draft> {
    conditions().chain(descriptors()).chain(ports()).collect()
}

fn draft(feature: crate::Feature, id: &str) -> Draft {
    Draft::new(feature, format!("flags/{id}")).about(About::Section("8.1.3")).program(&[raw(CARRY)])
}

/// SETcc, into a page that the nested tables do not have.
fn conditions() -> impl Iterator<Item = Draft> {
    (0..16u8).map(|condition| {
        let setcc = [0x0f, 0x90 | condition, 0x04, 0x25, 0, 0, 0xa0, 0];
        let page = world::npt::PT;
        draft(Npt, &format!("setcc-{condition}"))
            .needs(&[CpuFeature::Npt])
            .program(&[raw(&setcc)])
            .poke(page, 0)
            .run()
            .exits(exit::NPF)
            .field(Field::RIP, world::L2_CODE + CARRY.len() as u64)
            .field(Field::RFLAGS, LEFT)
    })
}

/// What looks at a descriptor, in a table whose page the nested tables do not have.
fn descriptors() -> impl Iterator<Item = Draft> {
    [("lar", LAR_EAX), ("lsl", LSL_EAX), ("verr", VERR_EAX), ("verw", VERW_EAX)].into_iter().map(
        |(name, code)| {
            draft(Npt, name)
                .needs(&[CpuFeature::Npt])
                .program(&[raw(code)])
                .poke_field(world::VMCB2, Field::LDTR_SELECTOR, 0x20)
                .poke_field(world::VMCB2, Field::LDTR_ATTRIB, 0x82)
                .poke_field(world::VMCB2, Field::LDTR_LIMIT, 0xf)
                .poke_field(world::VMCB2, Field::LDTR_BASE, world::DATA)
                .l1(Insn::Vmload, world::VMCB2)
                .poke(world::npt::PT, 0)
                .run()
                .exits(exit::NPF)
                .field(Field::RIP, world::L2_CODE + CARRY.len() as u64)
                .field(Field::EXITINFO2, world::DATA)
                .field(Field::RFLAGS, LEFT)
        },
    )
}

/// String I/O that the task-state segment does not permit, repeated and not.
fn ports() -> impl Iterator<Item = Draft> {
    let codes =
        [("rep-outs", OUTSB), ("rep-ins", INSB), ("outs", &OUTSB[1..]), ("ins", &INSB[1..])];
    codes.into_iter().map(|(name, code)| {
        draft(Intercepts, name)
            .program(&[raw(code)])
            .user()
            .poke(world::L2_TSS + 0x60, 0x68 << 48)
            .intercept(GP)
            .run()
            .exits(GP)
            .field(Field::RIP, world::L2_CODE + CARRY.len() as u64)
            .field(Field::RFLAGS, LEFT)
    })
}
