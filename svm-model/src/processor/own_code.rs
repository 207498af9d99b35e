//! Code that writes to itself: the processor executes what has been written (APM vol. 2, 7.6.1),
//! whatever the store has to look up first.

use alloc::format;
use alloc::vec::Vec;

use crate::Feature::Npt;
use crate::arch::pte;
use crate::case::{About, Draft, Insn, world};
use crate::cpu::CpuFeature;
use crate::vmcb::{Field, exit};

/// A page of the window, its nested entry, and L2's own.
const PAGE: u64 = world::DATA + 0x5000;
const NESTED: u64 = world::npt::PT + 5 * 8;
const OWN: u64 = world::l2pt::PT + 5 * 8;

const CLEAN: u64 = PAGE | pte::P | pte::W | pte::U | pte::A;
const DIRTY: u64 = CLEAN | pte::D;

/// MOV byte `[RIP+1]`, 42h; MOV AL, 0; VMMCALL: the store is to the 0.
const CODE: [u64; 2] = [0xb042_0000_0001_05c6, 0xd901_0f00];
const BEHIND: u64 = PAGE + 9;

pub(crate) fn cases() -> Vec<Draft> {
    let tables = [
        ("dirty", DIRTY, DIRTY),
        ("nested-clean", CLEAN, DIRTY),
        ("guest-clean", DIRTY, CLEAN),
        ("clean", CLEAN, CLEAN),
    ];
    let nested = tables.map(|(name, nested, own)| {
        let d = draft(&format!("nested,{name}")).needs(&[CpuFeature::Npt]);
        ends(d.poke(NESTED, nested).poke(OWN, own))
    });
    let flat = [("dirty", DIRTY), ("clean", CLEAN)].map(|(name, own)| {
        let d = draft(&format!("flat,{name}")).set(Field::NESTED_CTL, 0);
        ends(d.poke(OWN, own))
    });
    nested.into_iter().chain(flat).collect()
}

fn draft(id: &str) -> Draft {
    Draft::new(Npt, format!("own-code/{id}"))
        .about(About::Section("7.6.1"))
        .program(&[Insn::Jump(PAGE)])
        .poke(PAGE, CODE[0])
        .poke(PAGE + 8, CODE[1])
}

fn ends(d: Draft) -> Draft {
    d.run().exits(exit::VMMCALL).field(Field::RIP, BEHIND).field(Field::RAX, 0x42)
}
