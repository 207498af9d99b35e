//! The four PDPTEs of legacy PAE mode, in an L2: without nested paging they are loaded with
//! CR3 or when paging begins, with it when they are used (15.25, "Legacy PAE Mode").

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Intercepts;
use crate::arch::{cr0, cr4, efer, pte};
use crate::case::code::{Code, cleared};
use crate::case::listing::raw;
use crate::case::{About, Draft, Insn, Step, world};
use crate::cpu::CpuFeature;
use crate::features::npt::written::FULL;
use crate::vmcb::{Field, exit};

const GP: u64 = exit::EXCP + 13;
const PF: u64 = exit::EXCP + 14;
/// Two PDPTs, and the page directory of both.
const PDPT: u64 = world::DATA + 0x5_0000;
const OTHER: u64 = PDPT + 0x1000;
const PD: u64 = PDPT + 0x2000;
/// The world ends there.
const END: u64 = 0x100_0000;

const CR0: u64 = world::L1_CR0;
const EFER: u64 = efer::SVME | efer::NXE;

pub(crate) fn cases() -> Vec<Draft> {
    let bits = [1, 2, 5, 6, 7, 8, 52, 62, 63].into_iter().flat_map(reserved);
    bits.chain(places()).chain(nested()).collect()
}

/// L2 in 32-bit code, with PAE tables at [`PDPT`].
fn draft(id: &str) -> Draft {
    let new = Draft::new(Intercepts, format!("pae/{id}"))
        .about(About::Section("15.5.1"))
        .set(Field::NESTED_CTL, 0)
        .set(Field::N_CR3, 0)
        .set(Field::EFER, EFER)
        .set(Field::CS_ATTRIB, 0xc9b)
        .set(Field::CR3, PDPT);
    let new = cleared(cleared(new, PDPT, 0x20), OTHER, 0x20);
    let pages = (0..END).step_by(2 << 20).zip((PD..).step_by(8));
    let new = pages.fold(new, |d, (page, at)| d.poke(at, page | FULL | pte::PS));
    new.poke(PDPT, PD | pte::P).poke(OTHER, PD | pte::P)
}

/// MOV EAX, imm32; MOV CRn, EAX.
fn write(n: u8, value: u64) -> [Insn; 2] {
    let code = || Code::at(0);
    [raw(code().mov_eax(value).bytes()), raw(code().write_cr(n).bytes())]
}

/// #GP(0) at the write, behind its intercept.
fn refused(draft: Draft) -> Draft {
    draft.intercept(GP).run().exits(GP).at(1).field(Field::EXITINFO1, 0)
}

/// The selective intercept of CR0 comes first as well.
fn intercept_selective(draft: Draft) -> Draft {
    let code = exit::CR0_SEL_WRITE;
    draft.intercept(code).intercept(GP).run().exits(code).at(1)
}

/// A reserved bit in an entry that is present, and in one that is not.
fn reserved(bit: u32) -> Vec<Draft> {
    let cr3 = |id: &str, entry: u64| {
        draft(&format!("cr3,bit={bit}{id}")).program(&write(3, OTHER)).poke(OTHER + 24, entry)
    };
    let entry = PD | pte::P | 1 << bit;
    let cr0 = |id: &str| {
        draft(&format!("cr0-pg,bit={bit}{id}"))
            .set(Field::CR0, CR0 & !cr0::PG)
            .set(Field::CR4, cr4::PAE)
            .program(&write(0, CR0))
            .poke(PDPT + 24, entry)
    };
    let intercept = |d: Draft, n: u64| {
        let code = exit::CR_WRITE + n;
        d.intercept(code).intercept(GP).run().exits(code).at(1)
    };
    vec![
        refused(cr3("", entry)),
        intercept(cr3(",intercepted", entry), 3),
        cr3(",not-present", entry & !pte::P).intercept(GP).run().ends().field(Field::CR3, OTHER),
        refused(cr0("")),
        intercept(cr0(",intercepted"), 0),
        intercept_selective(cr0(",selective")),
    ]
}

/// Each of the four entries counts, and the same table without a reserved bit is taken.
fn places() -> Vec<Draft> {
    let mut all: Vec<Draft> = (0..4)
        .map(|n| {
            let new = draft(&format!("cr3,entry={n}")).program(&write(3, OTHER));
            refused(new.poke(OTHER + 8 * n, PD | pte::P | pte::W))
        })
        .collect();
    all.push(draft("cr3").program(&write(3, OTHER)).run().ends().field(Field::CR3, OTHER));
    // CR4.cr4::PAE set while there is 32-bit paging: the first eight of its entries are PDPTEs then.
    let legacy = (0..END)
        .step_by(4 << 20)
        .zip((OTHER..).step_by(4))
        .fold(cleared(draft("cr4-pae"), OTHER, 0x1000), |d, (page, at)| {
            d.step(Step::Mem { pa: at, width: 4, value: page | FULL | pte::PS })
        });
    all.push(refused(
        legacy
            .set(Field::CR3, OTHER)
            .set(Field::CR4, cr4::PSE)
            .program(&write(4, cr4::PAE | cr4::PSE)),
    ));
    all
}

/// With nested paging the write goes through, and using the entry is #PF.
fn nested() -> Vec<Draft> {
    let new = |id: &str| {
        let new = draft(id).needs(&[CpuFeature::Npt]);
        new.set(Field::NESTED_CTL, 1).set(Field::N_CR3, world::NPT)
    };
    vec![
        new("nested-cr3-unused")
            .program(&write(3, OTHER))
            .poke(OTHER + 24, PD | pte::P | pte::W)
            .intercept(GP)
            .intercept(PF)
            .run()
            .ends()
            .field(Field::CR3, OTHER),
        new("nested-cr3-used")
            .program(&write(3, OTHER))
            .poke(OTHER, PD | pte::P | pte::W)
            .intercept(GP)
            .intercept(PF)
            .run()
            .exits(PF)
            .field(Field::CR3, OTHER),
    ]
}
