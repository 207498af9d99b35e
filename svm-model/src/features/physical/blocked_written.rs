//! An IRET ends what blocks NMIs, in real mode and in L1, and an SMI does not see virtual GIF.

use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::{Intercepts, Vgif};
use crate::arch::int_ctl;
use crate::case::code::cleared;
use crate::case::mode::Mode;
use crate::case::{Draft, Event, Insn, world};
use crate::cpu::CpuFeature;
use crate::outcome::Obs;
use crate::rules as r;
use crate::vmcb::{Field, exit};

/// The first 2 MiB that L2 sees are the window.
const LOW: u64 = world::DATA | 0xe7;
/// L2's code and its handler, in segment 0.
const CODE: u64 = 0x2000;
const HANDLER: u64 = 0x3000;

pub(crate) fn cases() -> Vec<Draft> {
    let real = Draft::new(Intercepts, "nmi/real-mode-iret")
        .about(r::physical::NMI)
        .needs(&[CpuFeature::Npt]);
    let real = Mode::Real
        .enter(real, world::L2_CODE, false)
        .set(Field::CS_SELECTOR, 0)
        .set(Field::CS_BASE, 0)
        .set(Field::RIP, CODE)
        .set(Field::IDTR_BASE, 0)
        .set(Field::SS_ATTRIB, 0x93)
        .set(Field::SS_LIMIT, 0xffff)
        .set(Field::RSP, 0x8000)
        .poke(world::npt::PD, LOW)
        // VMMCALL; the vector, and IRET.
        .poke(world::DATA + CODE, 0x00d9_010f)
        .poke(world::DATA + 2 * 4, HANDLER)
        .poke(world::DATA + HANDLER, 0xcf);
    vec![
        // L2 takes one and returns from it; L1 takes the next.
        cleared(real, world::DATA + 0x7fe0, 0x20)
            .clgi()
            .raise(Event::Nmi)
            .run()
            .exits(exit::VMMCALL)
            .field(Field::RIP, CODE)
            .raise(Event::Nmi)
            .stgi()
            .shows(Obs::L1Nmi),
        // L2 takes one and does not return; L1's IRET, with which it comes to its STGI, ends that.
        Draft::new(Intercepts, "nmi/l1-iret")
            .about(r::physical::NMI)
            .program(&[Insn::Nop])
            .clgi()
            .raise(Event::Nmi)
            .run()
            .takes(2, 0, world::L2_CODE)
            .raise(Event::Nmi)
            .stgi()
            .shows(Obs::L1Nmi),
        // An SMI that L2 does not intercept does not see its virtual GIF.
        Draft::new(Vgif, "vgif/smi-while-clear")
            .about(r::physical::SMI)
            .needs(&[CpuFeature::Vgif])
            .program(&[Insn::Nop])
            .set(Field::INT_CTL, int_ctl::V_GIF_ENABLE)
            .clgi()
            .raise(Event::Smi)
            .run()
            .shows(Obs::L1Smi)
            .ends()
            .field(Field::INT_CTL, int_ctl::V_GIF_ENABLE),
    ]
}
