//! Nested paging: which accesses fault, and with which code.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Npt;
use crate::arch::{fault, pte};
use crate::case::{Draft, Insn, world};
use crate::cpu::CpuFeature;
use crate::rules as r;
use crate::vmcb::{Field, exit};

/// A page of the window, and its nested entry.
pub(crate) const PAGE: u64 = world::DATA + 0x5000;
const ENTRY: u64 = world::npt::PT + 5 * 8;
/// L2's own entry for the same page.
const L2_ENTRY: u64 = world::l2pt::PT + 5 * 8;

pub(crate) const FULL: u64 = pte::P | pte::W | pte::U | pte::A | pte::D;

fn draft(id: &str) -> Draft {
    Draft::new(Npt, format!("npt/{id}")).needs(&[CpuFeature::Npt])
}

fn faults(draft: Draft, info1: u64, gpa: u64) -> Draft {
    draft.run().exits(exit::NPF).field(Field::EXITINFO1, info1).field(Field::EXITINFO2, gpa)
}

pub(crate) fn cases() -> Vec<Draft> {
    [permissions(), reserved(), tables(), accessed_and_dirty(), off()].concat()
}

/// One access to one page, whose nested entry is as given.
fn permissions() -> Vec<Draft> {
    let load = |id, entry, info1| {
        let d = draft(id).program(&[Insn::Load(0, PAGE)]).poke(ENTRY, entry);
        faults(d, fault::FINAL | info1, PAGE).at(0).field(Field::CR2, 0)
    };
    let store = |id, entry, info1| {
        faults(
            draft(id).program(&[Insn::Store(PAGE)]).poke(ENTRY, entry),
            fault::FINAL | info1,
            PAGE,
        )
        .at(0)
    };
    let fetch = |id, entry, info1| {
        let d = draft(id).program(&[Insn::Jump(PAGE)]).poke(ENTRY, entry);
        faults(d, fault::FINAL | info1, PAGE).field(Field::RIP, PAGE)
    };
    vec![
        load("read-not-present", 0, fault::U).about(r::npt::PRESENT),
        store("write-not-present", 0, fault::U | fault::W).about(r::npt::PRESENT),
        fetch("fetch-not-present", 0, fault::U | fault::I).about([r::npt::PRESENT, r::npt::FETCH]),
        store("write-read-only", PAGE | FULL & !pte::W, fault::P | fault::U | fault::W)
            .about(r::npt::WRITE),
        fetch("fetch-no-execute", PAGE | FULL | pte::NX, fault::P | fault::U | fault::I)
            .about(r::npt::NX),
        // Every access of L2 is a user's to the nested tables.
        load("read-supervisor-page", PAGE | FULL & !pte::U, fault::P | fault::U)
            .about(r::npt::USER),
        store("write-supervisor-page", PAGE | FULL & !pte::U, fault::P | fault::U | fault::W)
            .about(r::npt::USER),
        fetch("fetch-supervisor-page", PAGE | FULL & !pte::U, fault::P | fault::U | fault::I)
            .about(r::npt::USER),
        draft("read-read-only")
            .about(r::npt::WRITE)
            .program(&[Insn::Load(0, PAGE)])
            .poke(ENTRY, PAGE | FULL & !pte::W)
            .run()
            .ends(),
        draft("read-no-execute")
            .about(r::npt::NX)
            .program(&[Insn::Load(0, PAGE)])
            .poke(ENTRY, PAGE | FULL | pte::NX)
            .run()
            .ends(),
        draft("another-page")
            .about(r::npt::ENABLED)
            .program(&[Insn::Load(0, PAGE)])
            .poke(ENTRY, (world::DATA + 0x6000) | FULL)
            .poke(world::DATA + 0x6000, 0x1234)
            .run()
            .ends()
            .field(Field::RAX, 0x1234),
        // L2's own page fault comes first.
        draft("own-fault-first")
            .about(r::intercepts::EXCP_PF)
            .program(&[Insn::Load(0, PAGE)])
            .poke(ENTRY, 0)
            .poke(L2_ENTRY, 0)
            .run()
            .takes(14, 0, world::L2_CODE + 10)
            .field(Field::CR2, PAGE),
    ]
}

/// A reserved bit at each level, in entries that nothing else needs. L2's own
/// tables lead the page to an address that the broken entry translates.
fn reserved() -> Vec<Draft> {
    let level = |id, entry_at, entry, gpa| {
        let d = draft(id)
            .program(&[Insn::Load(0, PAGE)])
            .poke(L2_ENTRY, gpa | FULL)
            .poke(entry_at, entry);
        faults(d, fault::FINAL | fault::P | fault::U | fault::RSV, gpa).at(0)
    };
    vec![
        level(
            "reserved-pml4e-bit-7",
            world::npt::PML4 + 8,
            world::npt::PDPT | FULL | pte::PS,
            1 << 39,
        )
        .about(r::npt::RESERVED_ROOT),
        level(
            "reserved-pml4e-bit-8",
            world::npt::PML4 + 8,
            world::npt::PDPT | FULL | 1 << 8,
            1 << 39,
        )
        .about(r::npt::RESERVED_ROOT),
        level(
            "reserved-pml4e-bit-51",
            world::npt::PML4 + 8,
            world::npt::PDPT | FULL | 1 << 51,
            1 << 39,
        )
        .about(r::npt::RESERVED_PHYS),
        level(
            "reserved-pdpe-bit-51",
            world::npt::PDPT + 8,
            world::npt::PD | FULL | 1 << 51,
            1 << 30,
        )
        .about(r::npt::RESERVED_PHYS),
        level(
            "reserved-pdpe-1g-bit-13",
            world::npt::PDPT + 8,
            1 << 30 | FULL | pte::PS | 1 << 13,
            1 << 30,
        )
        .about(r::npt::RESERVED_LARGE)
        .needs(&[CpuFeature::Pdpe1gb]),
        level(
            "reserved-pde-bit-51",
            world::npt::PD + 511 * 8,
            world::npt::PT | FULL | 1 << 51,
            511 << 21,
        )
        .about(r::npt::RESERVED_PHYS),
        level(
            "reserved-pde-2m-bit-13",
            world::npt::PD + 511 * 8,
            511 << 21 | FULL | pte::PS | 1 << 13,
            511 << 21,
        )
        .about(r::npt::RESERVED_LARGE),
        level("reserved-pte-bit-51", ENTRY, PAGE | FULL | 1 << 51, PAGE)
            .about(r::npt::RESERVED_PHYS),
        // Reserved and forbidden at once: both are told.
        faults(
            draft("reserved-and-write")
                .about([r::npt::RESERVED_PHYS, r::npt::WRITE])
                .program(&[Insn::Store(PAGE)])
                .poke(ENTRY, PAGE | FULL & !pte::W | 1 << 51),
            fault::FINAL | fault::P | fault::U | fault::W | fault::RSV,
            PAGE,
        )
        .at(0),
    ]
}

/// Faults in walking L2's own tables, which count as writes.
fn tables() -> Vec<Draft> {
    // A table of L2's in the window, for the 2 MiB behind it.
    const L2_PT: u64 = world::DATA + 0x7000;
    const NESTED_ENTRY: u64 = world::npt::PT + 7 * 8;
    const BEHIND: u64 = world::DATA + 0x20_0000;
    let walk = |id, nested, info1| {
        let d = draft(id)
            .program(&[Insn::Load(0, BEHIND + 0x3000)])
            .poke(world::l2pt::PD + (BEHIND >> 21) * 8, L2_PT | FULL)
            .poke(L2_PT + 3 * 8, PAGE | FULL)
            .poke(NESTED_ENTRY, nested);
        (d, fault::TABLE | info1, L2_PT + 3 * 8)
    };
    let fault = |(d, info1, gpa): (Draft, u64, u64)| faults(d, info1, gpa).at(0);
    vec![
        fault(walk("table-not-present", 0, fault::U | fault::W))
            .about([r::npt::TABLE_WRITE, r::npt::TABLE_WALK]),
        fault(walk("table-read-only", L2_PT | FULL & !pte::W, fault::P | fault::U | fault::W))
            .about(r::npt::TABLE_WRITE),
        fault(walk("table-supervisor", L2_PT | FULL & !pte::U, fault::P | fault::U | fault::W))
            .about([r::npt::USER, r::npt::TABLE_WALK]),
        fault(walk(
            "table-reserved-bit",
            L2_PT | FULL | 1 << 51,
            fault::P | fault::U | fault::W | fault::RSV,
        ))
        .about([r::npt::RESERVED_PHYS, r::npt::TABLE_WALK]),
        walk("table-no-execute", L2_PT | FULL | pte::NX, 0).0.about(r::npt::NX).run().ends(),
        // The first thing that L2 does is to look for its own PML4.
        faults(
            draft("top-table-not-present")
                .about([r::npt::CR3_GPA, r::npt::TABLE_WALK])
                .poke(world::npt::PML4, 0),
            fault::TABLE | fault::U | fault::W,
            world::L2PT,
        )
        .at(0),
    ]
}

/// The walk sets A in what it used, and D where it wrote.
fn accessed_and_dirty() -> Vec<Draft> {
    let clean = PAGE | pte::P | pte::W | pte::U;
    vec![
        draft("accessed-by-read")
            .about(r::npt::ACCESSED)
            .program(&[Insn::Load(0, PAGE)])
            .poke(ENTRY, clean)
            .run()
            .ends()
            .peek(ENTRY)
            .value(clean | pte::A),
        draft("dirty-by-write")
            .about(r::npt::DIRTY)
            .program(&[Insn::Store(PAGE)])
            .poke(ENTRY, clean)
            .run()
            .ends()
            .peek(ENTRY)
            .value(clean | pte::A | pte::D),
        draft("own-table-accessed")
            .about(r::npt::GUEST_ACCESSED)
            .program(&[Insn::Load(0, PAGE)])
            .poke(L2_ENTRY, clean)
            .run()
            .ends()
            .peek(L2_ENTRY)
            .value(clean | pte::A),
    ]
}

/// Without nested paging the nested tables mean nothing.
fn off() -> Vec<Draft> {
    vec![
        draft("not-enabled")
            .about(r::npt::ENABLED)
            .program(&[Insn::Load(0, PAGE)])
            .set(Field::NESTED_CTL, 0)
            .set(Field::N_CR3, 0)
            .run()
            .ends(),
        Draft::new(Npt, "npt/feature-off")
            .about(r::npt::ENABLED)
            .without(&[CpuFeature::Npt])
            .program(&[Insn::Load(0, PAGE)])
            .poke(ENTRY, 0)
            .run()
            .ends(),
    ]
}
