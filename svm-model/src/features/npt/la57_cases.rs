//! L2 with five levels of its own tables (CR4.LA57; vol. 2, 5.3): addresses of 57 bits,
//! the fifth level's entry, and the page that holds it under the nested tables.

use alloc::format;

use crate::Feature::Npt;
use crate::arch::{cr4, exit, pte};
use crate::case::draft::{Draft, on};
use crate::case::{Insn, world};
use crate::cases::Cases;
use crate::cpu::CpuFeature;
use crate::vmcb::Field;

/// The fifth level, in the window, and its nested entry.
const PML5: u64 = world::DATA + 0xd000;
const NESTED_ENTRY: u64 = world::npt::PT + 0xd * 8;
/// An entry that leads to the tables that L2 has otherwise.
const GOOD: u64 = world::L2PT | pte::P | pte::W | pte::U | pte::A;
const CR4: u64 = cr4::PAE | cr4::LA57;
/// A page of the window.
const PAGE: u64 = world::DATA + 0xb000;

/// What is above bit 46 of an address.
const HIGH: &[u64] = &[
    0,
    1 << 47,
    1 << 48,
    1 << 50,
    1 << 55,
    1 << 56,
    1 << 57,
    1 << 63,
    0xff << 56,
    0x1ff << 55,
    0xffff << 47,
    0xfe01 << 48,
];

pub(crate) fn cases(out: &mut Cases) {
    addresses(out);
    entry(out);
    nested(out);
    switches(out);
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(Npt, format!("la57/{}", id.as_ref()))
        .needs(&[CpuFeature::La57])
        .set(Field::CR4, CR4)
        .set(Field::CR3, PML5)
        .poke(PML5, GOOD)
}

fn intercepts(draft: Draft, wanted: bool) -> Draft {
    if !wanted {
        return draft;
    }
    [12, 13, 14].iter().fold(draft, |d, vector| d.intercept(exit::EXCP + vector))
}

/// Data, code, stack and descriptors at addresses that have more than 48 bits.
fn addresses(out: &mut Cases) {
    for high in HIGH {
        for mapped in [false, true] {
            for intercepted in [false, true] {
                let new = |what: &str| {
                    let id = format!(
                        "{what},high={high:#x},mapped={},intercepted={}",
                        on(mapped),
                        on(intercepted)
                    );
                    let entry = PML5 + (high >> 48 & 0x1ff) * 8;
                    let new = intercepts(draft(id), intercepted);
                    if mapped { new.poke(entry, GOOD) } else { new }
                };
                out.push(new("load").program(&[Insn::Load(0, high | PAGE)]).done());
                out.push(new("store").program(&[Insn::Store(high | PAGE)]).done());
                out.push(new("jump").program(&[Insn::Jump(high | world::L2_STUB_EXIT)]).done());
                out.push(new("rip").set(Field::RIP, high | world::L2_CODE).done());
                let stack = high | (world::L2_STACK);
                out.push(new("push").program(&[Insn::Pushf]).set(Field::RSP, stack).done());
                let event = new("event").program(&[Insn::Ud2]);
                out.push(event.clone().set(Field::IDTR_BASE, high | world::L2_IDT).done());
                out.push(new("event-stack").program(&[Insn::Ud2]).set(Field::RSP, stack).done());
            }
        }
    }
}

/// Each bit of the entry.
fn entry(out: &mut Cases) {
    let rows: [(&str, &[Insn]); 3] =
        [("load", &[Insn::Load(0, PAGE)]), ("store", &[Insn::Store(PAGE)]), ("nop", &[Insn::Nop])];
    for bit in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 39, 40, 51, 52, 58, 59, 62, 63] {
        for (name, program) in rows {
            for nxe in [0u64, 0x800] {
                for user in [false, true] {
                    let id = format!(
                        "entry,bit={bit},{name},nxe={},cpl={}",
                        on(nxe != 0),
                        if user { 3 } else { 0 }
                    );
                    let new = draft(id).program(program).poke(PML5, GOOD ^ 1 << bit);
                    let new = intercepts(new.set(Field::EFER, 0x1500 | nxe), true);
                    let new = if user { new.user() } else { new };
                    out.push(new.run().peek(PML5).case());
                }
            }
        }
    }
}

/// The page that holds the fifth level.
fn nested(out: &mut Cases) {
    for bits in [0x67u64, 0x66, 0x65, 0x63, 0x47, 0x27, 0x07, 1 << 63 | 0x67, 1 << 51 | 0x67] {
        for accessed in [false, true] {
            let id = format!("table={bits:#x},accessed={}", on(accessed));
            let entry = if accessed { GOOD } else { GOOD & !pte::A };
            let new = draft(id).needs(&[CpuFeature::Npt]).program(&[Insn::Nop]);
            let new = new.poke(PML5, entry).poke(NESTED_ENTRY, PML5 | bits);
            out.push(new.run().peek(PML5).peek(NESTED_ENTRY).case());
        }
    }
}

/// In 64-bit mode CR4.LA57 does not change.
fn switches(out: &mut Cases) {
    for (from, cr3) in [(CR4, PML5), (cr4::PAE, world::L2PT)] {
        for to in [CR4, cr4::PAE] {
            for code in [0, exit::EXCP + 13, exit::CR_WRITE + 4] {
                let id = format!("cr4={from:#x},to={to:#x},intercept={code:#x}");
                let new = draft(id).set(Field::CR4, from).set(Field::CR3, cr3);
                let new = new.program(&[Insn::Mov(0, to), Insn::WriteCr(4, 0)]);
                let new = if code == 0 { new } else { new.intercept(code) };
                out.push(new.done());
            }
        }
    }
}
