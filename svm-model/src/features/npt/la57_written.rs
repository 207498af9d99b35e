//! L1 with five levels of tables (CR4.LA57): the nested tables have as many then, since
//! they are walked as L1's own are (15.25.3).

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::written::FULL;
use crate::Feature::Npt;
use crate::arch::{cr4, fault, pte};
use crate::case::code::Code;
use crate::case::{About, Draft, Insn, world};
use crate::cpu::CpuFeature;
use crate::snapshot::HostReg;
use crate::vmcb::{Field, exit};

const ON: u64 = world::DATA + 0x2_0000;
const OFF: u64 = world::DATA + 0x2_1000;
/// L1's fifth level, and the nested one.
const PML5: u64 = world::DATA + 0x2_2000;
const NESTED: u64 = world::DATA + 0x2_3000;
const CR4: u64 = world::L1_CR4 | cr4::LA57;
/// A page of the window.
const PAGE: u64 = world::DATA + 0x5000;

/// L1 pages with five levels while `runs` is done.
fn with_la57(id: &str, runs: impl FnOnce(Draft) -> Draft) -> Draft {
    let on = Code::at(ON).leave_long_mode().return_to_long_mode_with(PML5, CR4);
    let off = Code::at(OFF).leave_long_mode().return_to_long_mode();
    let new = Draft::new(Npt, format!("la57/{id}"))
        .about(About::Section("15.25.3"))
        .needs(&[CpuFeature::Npt, CpuFeature::La57])
        .poke(PML5, world::L1PT | FULL)
        .poke(NESTED, world::NPT | FULL)
        .set(Field::N_CR3, NESTED);
    off.called(runs(on.called(off.placed(on.placed(new)))))
}

fn back_in_l1(draft: Draft) -> Draft {
    draft.host(HostReg::Cr4, CR4).host(HostReg::Cr3, PML5)
}

fn fault(draft: Draft, info1: u64, gpa: u64) -> Draft {
    let exit = draft.exits(exit::NPF).field(Field::EXITINFO1, info1);
    back_in_l1(exit.field(Field::EXITINFO2, gpa))
}

pub(crate) fn cases() -> Vec<Draft> {
    const FETCH_OF_TABLE: u64 = fault::TABLE | fault::U | fault::W;
    vec![
        with_la57("nested-five-levels", |d| back_in_l1(d.program(&[Insn::Nop]).run().ends())),
        // The fifth level's entry is looked at.
        with_la57("nested-fifth-absent", |d| {
            fault(d.poke(NESTED, 0).run(), FETCH_OF_TABLE, world::L2PT)
        }),
        with_la57("nested-fifth-reserved", |d| {
            let info1 = FETCH_OF_TABLE | fault::P | fault::RSV;
            fault(d.poke(NESTED, world::NPT | FULL | pte::PS).run(), info1, world::L2PT)
        }),
        // L2 has five levels as well.
        with_la57("nested-and-own", |d| {
            let d = d.set(Field::CR4, cr4::PAE | cr4::LA57).set(Field::CR3, world::DATA + 0x2_4000);
            let d = d.poke(world::DATA + 0x2_4000, world::L2PT | FULL);
            let d = d.program(&[Insn::Load(0, PAGE)]).poke(PAGE, 0x1234);
            back_in_l1(d.run().ends().field(Field::RAX, 0x1234))
        }),
    ]
}
