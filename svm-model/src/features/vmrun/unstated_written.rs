//! What the manual calls reserved, or does not mention, and does not tell VMRUN to
//! refuse: the guest runs. The list with the reasons is in docs/refusals.md.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::{Npt, TlbAsid, VmrunChecks};
use crate::arch::{msr, nested_ctl};
use crate::case::{About, Draft, Insn, Step, world};
use crate::cpu::CpuFeature;
use crate::features::npt::written::FULL;
use crate::rules as r;
use crate::vmcb::Field;

const PAGE: u64 = world::DATA + 0xf000;
const OTHER: u64 = world::DATA + 0x1_0000;
const RAN: u64 = 0x1111;
const REMAPPED: u64 = 0x2222;

pub(crate) fn cases() -> Vec<Draft> {
    [tlb_control(), nested_paging(), save_area()].concat()
}

/// A guest that has read a page, whose mapping then changes.
fn remapped(id: String, control: u64) -> Draft {
    Draft::new(TlbAsid, format!("unstated/{id}"))
        .about(r::vmrun::TLB_CONTROL_RESERVED)
        .needs(&[CpuFeature::Npt])
        .poke(PAGE, RAN)
        .poke(OTHER, REMAPPED)
        .program(&[Insn::Load(0, PAGE)])
        .run()
        .ends()
        .field(Field::RAX, RAN)
        .poke(world::npt::PT + 0xf * 8, OTHER | FULL)
        .set(Field::RIP, world::L2_CODE)
        .set(Field::TLB_CONTROL, control)
        .run()
        .ends()
        .field(Field::RAX, REMAPPED)
        .field(Field::TLB_CONTROL, control)
}

/// Reserved encodings flush everything.
fn tlb_control() -> Vec<Draft> {
    let reserved = [2u64, 4, 5, 6, 8, 0x10, 0x80, 0xff];
    let mut cases: Vec<Draft> =
        reserved.map(|control| remapped(format!("tlb-control,{control:#x}"), control)).into();
    for control in [3, 7] {
        let d = remapped(format!("tlb-control,{control},not-offered"), control);
        cases.push(d.without(&[CpuFeature::FlushByAsid]));
    }
    cases
}

/// NP_ENABLE where CPUID does not offer nested paging: the tables are honoured,
/// since to ignore them would give the guest all of memory.
fn nested_paging() -> Vec<Draft> {
    let draft = |id: &str| {
        Draft::new(Npt, format!("unstated/npt-not-offered{id}"))
            .about(r::vmrun::NP_UNSUPPORTED)
            .without(&[CpuFeature::Npt])
            .set(Field::NESTED_CTL, nested_ctl::NP_ENABLE)
            .set(Field::N_CR3, world::NPT)
            .poke(PAGE, RAN)
            .poke(OTHER, REMAPPED)
            .program(&[Insn::Load(0, PAGE)])
    };
    vec![
        draft("").run().ends().field(Field::RAX, RAN),
        draft(",translated")
            .poke(world::npt::PT + 0xf * 8, OTHER | FULL)
            .run()
            .ends()
            .field(Field::RAX, REMAPPED),
    ]
}

/// VM_HSAVE_PA as reset has left it.
fn save_area() -> Vec<Draft> {
    vec![
        Draft::new(VmrunChecks, "unstated/save-area-at-zero")
            .about(About::Section("15.30.4"))
            .program(&[Insn::Nop])
            .step(Step::Wrmsr(msr::VM_HSAVE_PA, 0))
            .run()
            .ends()
            .step(Step::Wrmsr(msr::VM_HSAVE_PA, world::HSAVE)),
    ]
}
