//! An interrupt that is pending behind another event comes before the first instruction of that
//! one's handler (8.5), and so before whatever is wrong with that: here the nested tables lack its
//! page.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Intercepts;
use crate::arch::{flag, int_ctl};
use crate::case::{Draft, Event, Insn, Step, world};
use crate::cpu::CpuFeature;
use crate::outcome::Obs;
use crate::rules as r;
use crate::vmcb::{Field, exit};

const HANDLER: u64 = world::DATA + 0x4000;
/// L2's RFLAGS, which a trap gate leaves as they are.
const IF: u64 = flag::FIXED | flag::IF;
const VECTOR: u8 = 0x50;

/// The gate of NMI, a trap gate.
fn draft(id: &str) -> Draft {
    let gate = HANDLER & 0xffff
        | u64::from(world::L2_CS) << 16
        | 0x8f << 40
        | (HANDLER >> 16 & 0xffff) << 48;
    Draft::new(Intercepts, format!("order/{id}"))
        .about(r::physical::NMI)
        .needs(&[CpuFeature::Npt])
        .program(&[Insn::Nop])
        .set(Field::RFLAGS, IF)
        .poke(world::L2_IDT + 32, gate)
        .poke(world::L2_IDT + 40, HANDLER >> 32)
        .poke(world::npt::PT + 4 * 8, 0)
}

pub(crate) fn cases() -> Vec<Draft> {
    let nmi = |id: &str| draft(id).clgi().raise(Event::Nmi);
    let virtual_nmi = int_ctl::V_NMI_ENABLE | int_ctl::V_NMI;
    let vnmi =
        |id: &str| draft(id).about(r::vnmi::TAKEN).needs(&[CpuFeature::Vnmi]).intercept(exit::NMI);
    let virq = |d: Draft, int_ctl: u64| {
        d.set(Field::INT_CTL, int_ctl | int_ctl::V_IRQ | int_ctl::V_IGN_TPR)
            .set(Field::INT_VECTOR, VECTOR.into())
            .intercept(exit::VINTR)
            .run()
            .exits(exit::VINTR)
            .field(Field::RIP, HANDLER)
    };
    let intr = |d: Draft| {
        d.raise(Event::Intr(VECTOR))
            .intercept(exit::INTR)
            .run()
            .exits(exit::INTR)
            .field(Field::RIP, HANDLER)
            .stgi()
            .step(Step::Window)
            .shows(Obs::L1Interrupt(VECTOR))
    };
    vec![
        virq(nmi("nmi-virq"), 0),
        virq(vnmi("virtual-nmi-virq"), virtual_nmi),
        // Nothing else is pending.
        nmi("nmi").run().exits(exit::NPF).field(Field::RIP, HANDLER),
        intr(nmi("nmi-intr")),
    ]
}
