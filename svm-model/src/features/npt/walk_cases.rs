//! The guest's own page tables under the nested ones: where they are, what a
//! walk of them faults with, and which fault comes first.

use alloc::format;

use crate::Feature::Npt;
use crate::case::draft::{Draft, on};
use crate::case::{Insn, world};
use crate::cases::Cases;
use crate::cpu::CpuFeature;
use crate::vmcb::Field;

/// The page that cases touch, through a guest PT that lies in the window.
const PAGE: u64 = world::DATA + 0xb000;
/// The guest's PT, moved to this page of the window.
const TABLE: u64 = world::DATA + 0xc000;

const ACCESSES: &[(&str, &[Insn])] = &[
    ("read", &[Insn::Load(0, PAGE + 0x10)]),
    ("write", &[Insn::Store(PAGE + 0x10)]),
    ("fetch", &[Insn::Jump(PAGE + 0x10)]),
];

pub(crate) fn cases(out: &mut Cases) {
    tables(out);
    both(out);
    guest_bits(out);
    roots(out);
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(Npt, format!("npt-walk/{}", id.as_ref())).needs(&[CpuFeature::Npt])
}

/// The window's guest PT in the window itself, with the one entry that is used.
fn moved(draft: Draft, entry: u64) -> Draft {
    draft.poke(TABLE + 0xb * 8, entry).poke(world::l2pt::PD + 5 * 8, TABLE | 0x67)
}

fn table_entry(draft: Draft, entry: u64) -> Draft {
    draft.poke(world::npt::PT + 0xc * 8, entry)
}

/// The page that holds the guest's table, with each nested permission.
fn tables(out: &mut Cases) {
    for bits in 0..8u64 {
        for nx in [0, 1u64 << 63] {
            for (name, program) in ACCESSES {
                let faults = bits & 7 != 7;
                if *name == "fetch" && !faults {
                    continue;
                }
                let id = format!(
                    "table,p={},rw={},us={},nx={},{name}",
                    bits & 1,
                    bits >> 1 & 1,
                    bits >> 2 & 1,
                    nx >> 63
                );
                let case = moved(draft(id).program(program), PAGE | 0x67);
                out.push(table_entry(case, TABLE | 0x60 | bits | nx).done());
            }
        }
    }
    for bit in [7, 8, 9, 11, 40, 51, 52, 58, 62] {
        let case = moved(draft(format!("table,bit={bit}")).program(ACCESSES[0].1), PAGE | 0x67);
        out.push(table_entry(case, TABLE | 0x67 | 1 << bit).done());
    }
    for (name, program) in &ACCESSES[..2] {
        for a in [false, true] {
            // A guest entry without A makes the walk write it.
            let id = format!("table-read-only,a={},{name}", on(a));
            let case = moved(draft(id).program(program), PAGE | 0x47 | u64::from(a) << 5);
            out.push(table_entry(case, TABLE | 0x65).done());
            let id = format!("table-dirty,a={},{name}", on(a));
            let case = moved(draft(id).program(program), PAGE | 0x07 | u64::from(a) << 5);
            let case = table_entry(case, TABLE | 0x07).run();
            out.push(case.peek(TABLE + 0xb * 8).peek(world::npt::PT + 0xc * 8).case());
        }
    }
}

/// A guest fault and a nested fault of the same page: the guest's comes first.
fn both(out: &mut Cases) {
    for (name, program) in ACCESSES {
        for (what, guest) in
            [("absent", 0x66u64), ("read-only", 0x65), ("supervisor", 0x63), ("nx", 1 << 63 | 0x67)]
        {
            for (nested_what, nested) in [("absent", 0x66u64), ("read-only", 0x65), ("good", 0x67)]
            {
                for user in [false, true] {
                    for intercepted in [false, true] {
                        let guest_faults = match (what, *name) {
                            ("absent", _) => true,
                            ("read-only", access) => access == "write",
                            ("supervisor", _) => user,
                            (_, access) => access == "fetch",
                        };
                        let nested_faults = nested_what == "absent"
                            || nested_what == "read-only" && *name == "write";
                        if *name == "fetch" && !guest_faults && !nested_faults {
                            continue;
                        }
                        let id = format!(
                            "guest-{what},nested-{nested_what},{name},cpl={},pf={}",
                            if user { 3 } else { 0 },
                            on(intercepted)
                        );
                        let case = draft(id)
                            .program(program)
                            .poke(world::l2pt::PT + 0xb * 8, PAGE | guest);
                        let case = case.poke(world::npt::PT + 0xb * 8, PAGE | nested);
                        let case =
                            case.also(Field::INTERCEPT_EXCEPTIONS, u64::from(intercepted) << 14);
                        out.push(if user { case.user().done() } else { case.done() });
                    }
                }
            }
        }
    }
}

/// Bits of the guest's own entry: #PF with the reserved bit, nested paging or not.
fn guest_bits(out: &mut Cases) {
    for bit in [7, 8, 9, 11, 40, 45, 51, 52, 58, 63] {
        for (name, program) in ACCESSES {
            let faults = matches!(bit, 40..=51) || bit == 63;
            if *name == "fetch" && !faults {
                continue;
            }
            for nxe in [0u64, 0x800] {
                for nested in [false, true] {
                    let id = format!(
                        "guest,bit={bit},{name},nxe={},nested={}",
                        on(nxe != 0),
                        on(nested)
                    );
                    let case = draft(id).program(program).set(Field::EFER, 0x1500 | nxe);
                    let case = case.poke(world::l2pt::PT + 0xb * 8, PAGE | 0x67 | 1 << bit);
                    let case = case.set(Field::NESTED_CTL, nested.into());
                    out.push(case.also(Field::INTERCEPT_EXCEPTIONS, 1 << 14).done());
                }
            }
        }
    }
    for bit in [0, 1, 2, 7, 8, 13, 20, 51] {
        for (name, program) in &ACCESSES[..2] {
            let case = draft(format!("guest-2m,bit={bit},{name}")).program(program);
            let case = case.poke(world::l2pt::PD + 5 * 8, 0xa0_00e7 ^ 1 << bit);
            if bit != 7 {
                out.push(case.also(Field::INTERCEPT_EXCEPTIONS, 1 << 14).done());
            }
        }
    }
}

/// Guest CR3 and nested CR3 elsewhere.
fn roots(out: &mut Cases) {
    // The guest's root in the window, at a guest-physical address that is not the system-physical one.
    let root = world::DATA + 0xd000;
    let copy = world::DATA + 0xe000;
    let entry = world::l2pt::PDPT | 0x27;
    let case = draft("cr3-moved").set(Field::CR3, root).poke(copy, entry);
    out.push(case.poke(world::npt::PT + 0xd * 8, copy | 0x67).program(&[Insn::Nop]).done());
    for (what, bits) in [("absent", 0x66u64), ("read-only", 0x65), ("supervisor", 0x63)] {
        let case = draft(format!("cr3-{what}")).set(Field::CR3, root).poke(root, entry);
        out.push(case.poke(world::npt::PT + 0xd * 8, root | bits).program(&[Insn::Nop]).done());
    }
    let case = draft("n_cr3-moved").set(Field::N_CR3, copy).poke(copy, world::npt::PDPT | 0x27);
    out.push(case.program(&[Insn::Nop]).done());
    let empty = draft("n_cr3-empty").set(Field::N_CR3, copy).program(&[Insn::Nop]);
    out.push(empty.done());
    for low in [0x18, 0xfff] {
        let case = draft(format!("n_cr3-low={low:#x}")).set(Field::N_CR3, world::NPT | low);
        out.push(case.program(&[Insn::Nop]).done());
    }
    // A root that nothing maps: the first fetch faults while it walks.
    for bit in [31, 36, 39] {
        let case =
            draft(format!("cr3-gpa-bit={bit}")).set(Field::CR3, 1 << bit).program(&[Insn::Nop]);
        out.push(case.done());
        let case = draft(format!("rip-bit={bit}")).program(&[Insn::Nop]).set(Field::RIP, 1 << bit);
        out.push(case.also(Field::INTERCEPT_EXCEPTIONS, 1 << 14).done());
    }
}
