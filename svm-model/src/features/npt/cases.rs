//! Nested paging: every bit of an entry at every level, every kind of access,
//! with the host's NXE on and off; A and D; the guest's PAT.

use alloc::format;

use crate::Feature::Npt;
use crate::arch::msr;
use crate::case::draft::{Draft, on};
use crate::case::{Insn, Step, world};
use crate::cases::Cases;
use crate::cpu::CpuFeature;
use crate::features::gmet;
use crate::vmcb::Field;

/// The page that cases touch: entry 9 of the window's PT.
pub(crate) const PAGE: u64 = world::DATA + 0x9000;
pub(crate) const PT_ENTRY: u64 = world::npt::PT + 9 * 8;
const PD_ENTRY: u64 = world::npt::PD + 5 * 8;
const PDPT_ENTRY: u64 = world::npt::PDPT;
const PML4_ENTRY: u64 = world::npt::PML4;

/// One access to the page.
pub(crate) const ACCESSES: &[(&str, &[Insn])] = &[
    ("read", &[Insn::Load(0, PAGE + 0x128)]),
    ("write", &[Insn::Store(PAGE + 0x128)]),
    ("fetch", &[Insn::Jump(PAGE + 0x128)]),
];

pub(crate) fn cases(out: &mut Cases) {
    leaf_bits(out);
    upper_bits(out);
    large_pages(out);
    permissions(out);
    accessed_dirty(out);
    host_state(out);
    pat(out);
    addresses(out);
    off(out);
    not_a_page_fault(out);
    gmet::cases::cases(out);
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(Npt, format!("npt/{}", id.as_ref())).needs(&[CpuFeature::Npt])
}

/// The page holds nothing that runs; a fetch that gets through would be open.
pub(crate) fn fetchable(name: &str, faults: bool) -> bool {
    name != "fetch" || faults
}

fn nxe(draft: Draft, on: bool) -> Draft {
    if on { draft } else { draft.step(Step::Wrmsr(msr::EFER, 0x1500)) }
}

/// Each bit of the page's PT entry, set or cleared.
fn leaf_bits(out: &mut Cases) {
    for (name, program) in ACCESSES {
        for bit in 0..64u32 {
            // Address bits that this machine has would point the entry elsewhere.
            if (12..40).contains(&bit) {
                continue;
            }
            for host_nxe in [true, false] {
                let entry = (PAGE | 0x67) ^ 1u64 << bit;
                let faults = matches!(bit, 0 | 2 | 40..=51 | 63);
                if !fetchable(name, faults) {
                    continue;
                }
                let id = format!("leaf,bit={bit},{name},nxe={}", on(host_nxe));
                out.push(nxe(draft(id), host_nxe).program(program).poke(PT_ENTRY, entry).done());
            }
        }
    }
}

/// Each bit of the entries above it. The code's own page is under the PDPT and
/// PML4 entries too, so its fetch is what faults there.
fn upper_bits(out: &mut Cases) {
    for (level, at) in [("pd", PD_ENTRY), ("pdpt", PDPT_ENTRY), ("pml4", PML4_ENTRY)] {
        let entry = world::table_entry(at).unwrap_or(0);
        for (name, program) in ACCESSES {
            for bit in 0..64u32 {
                if (12..40).contains(&bit) || bit == 7 && level != "pml4" {
                    continue;
                }
                let faults =
                    matches!(bit, 0 | 2 | 40..=51 | 63) || level == "pml4" && matches!(bit, 7 | 8);
                if !fetchable(name, faults) {
                    continue;
                }
                // Above the PD the first fetch faults before the access: one access is enough.
                if level != "pd" && *name != "read" && faults {
                    continue;
                }
                for host_nxe in [true, false] {
                    if !host_nxe && bit < 63 && bit % 8 != 0 {
                        continue;
                    }
                    let id = format!("{level},bit={bit},{name},nxe={}", on(host_nxe));
                    let case = nxe(draft(id), host_nxe).program(program);
                    out.push(case.poke(at, entry ^ 1 << bit).done());
                }
            }
        }
    }
}

/// 2 MiB and 1 GiB nested pages, and the bits reserved in them.
fn large_pages(out: &mut Cases) {
    let pd = 0xa0_0000 | 0xe7;
    for bit in [8, 9, 10, 11, 12, 13, 14, 17, 20] {
        for (name, program) in &ACCESSES[..2] {
            let case = draft(format!("2m,bit={bit},{name}")).program(program);
            out.push(case.poke(PD_ENTRY, pd | 1 << bit).done());
        }
    }
    for (name, program) in &ACCESSES[..2] {
        out.push(draft(format!("2m,{name}")).program(program).poke(PD_ENTRY, pd).done());
        let low = draft(format!("2m,rw=0,{name}")).program(program);
        out.push(low.poke(PD_ENTRY, pd & !2).done());
    }
    for bit in [7, 8, 12, 13, 14, 21, 25, 29] {
        for gigabyte in [false, true] {
            let id = format!("1g,bit={bit},pdpe1gb={}", on(gigabyte));
            let feature = [CpuFeature::Pdpe1gb];
            let case =
                if gigabyte { draft(id).needs(&feature) } else { draft(id).without(&feature) };
            out.push(case.program(ACCESSES[0].1).poke(PDPT_ENTRY, 0xe7 | 1 << bit).done());
        }
    }
}

/// P, R/W and U/S of the leaf in every combination, at both privilege levels.
fn permissions(out: &mut Cases) {
    for bits in 0..8u64 {
        for nx in [0, 1u64 << 63] {
            for (name, program) in ACCESSES {
                for user in [false, true] {
                    for host_nxe in [true, false] {
                        let faults = bits & 5 != 5 || nx != 0;
                        if !fetchable(name, faults) {
                            continue;
                        }
                        let id = format!(
                            "perm,p={},rw={},us={},nx={},{name},cpl={},nxe={}",
                            bits & 1,
                            bits >> 1 & 1,
                            bits >> 2 & 1,
                            nx >> 63,
                            if user { 3 } else { 0 },
                            on(host_nxe)
                        );
                        let case = nxe(draft(id), host_nxe).program(program);
                        let case = case.poke(PT_ENTRY, PAGE | 0x60 | bits | nx);
                        out.push(if user { case.user().done() } else { case.done() });
                    }
                }
            }
        }
    }
}

/// What the walk sets in entries that have neither.
fn accessed_dirty(out: &mut Cases) {
    for (name, program) in &ACCESSES[..2] {
        for bits in [0x07, 0x27, 0x67] {
            let case = draft(format!("ad,leaf={bits:#x},{name}"))
                .program(program)
                .poke(PT_ENTRY, PAGE | bits);
            out.push(case.run().peek(PT_ENTRY).case());
            let case = draft(format!("ad,guest-leaf={bits:#x},{name}")).program(program);
            let at = world::l2pt::PT + 9 * 8;
            out.push(case.poke(at, PAGE | bits).run().peek(at).peek(PT_ENTRY).case());
        }
        let case = draft(format!("ad,2m,{name}")).program(program).poke(PD_ENTRY, 0xa0_0087);
        out.push(case.run().peek(PD_ENTRY).case());
        let case =
            draft(format!("ad,pd,{name}")).program(program).poke(PD_ENTRY, world::npt::PT | 0x07);
        out.push(case.run().peek(PD_ENTRY).case());
        for (level, at, entry) in
            [("pdpt", PDPT_ENTRY, world::npt::PD | 7), ("pml4", PML4_ENTRY, world::npt::PDPT | 7)]
        {
            let case = draft(format!("ad,{level},{name}")).program(program).poke(at, entry);
            out.push(case.run().peek(at).case());
        }
        // A fault leaves D alone.
        let case =
            draft(format!("ad,read-only,{name}")).program(program).poke(PT_ENTRY, PAGE | 0x25);
        out.push(case.run().peek(PT_ENTRY).case());
    }
}

/// Host state that does not matter to nested permissions.
fn host_state(out: &mut Cases) {
    for (name, program) in &ACCESSES[..2] {
        for wp in [false, true] {
            let cr0 = 0x8000_0033 | u64::from(wp) << 16;
            let case = draft(format!("host-wp={},{name}", on(wp)))
                .program(program)
                .step(Step::WriteCr(0, cr0));
            out.push(case.poke(PT_ENTRY, PAGE | 0x65).done());
            let case =
                draft(format!("guest-wp={},{name}", on(wp))).program(program).set(Field::CR0, cr0);
            out.push(case.poke(PT_ENTRY, PAGE | 0x65).done());
        }
    }
    for cr4 in [0x20u64, 0xa0, 0x620] {
        let case = draft(format!("host-cr4={cr4:#x}"))
            .program(ACCESSES[1].1)
            .step(Step::WriteCr(4, cr4 | 0x600));
        out.push(case.poke(PT_ENTRY, PAGE | 0x65).done());
    }
    // The guest's NXE is its own.
    for guest_nxe in [0u64, 0x800] {
        let case = draft(format!("guest-nxe={}", on(guest_nxe != 0))).program(ACCESSES[2].1);
        let case = case.set(Field::EFER, 0x1500 | guest_nxe);
        out.push(case.poke(PT_ENTRY, PAGE | 0x67 | 1 << 63).done());
    }
}

fn pat(out: &mut Cases) {
    for value in [0x0606_0606_0606_0606u64, 0, 0x0007_0406_0007_0406, 0x0105_0406_0007_0001] {
        for nested in [false, true] {
            let id = format!("g_pat={value:#x},nested={}", on(nested));
            let case = draft(id).set(Field::G_PAT, value).set(Field::NESTED_CTL, nested.into());
            out.push(case.program(&[Insn::Rdmsr(0x277)]).run().step(Step::Rdmsr(0x277)).case());
            let id = format!("g_pat,write={value:#x},nested={}", on(nested));
            let case = draft(id).set(Field::NESTED_CTL, nested.into());
            let case = case.program(&[Insn::Wrmsr(0x277, value), Insn::Rdmsr(0x277)]);
            out.push(case.run().step(Step::Rdmsr(0x277)).case());
        }
    }
}

/// Guest-physical addresses at the ends of what the tables map.
fn addresses(out: &mut Cases) {
    for bit in 31..48 {
        // The guest maps one more page: to an address that no nested entry maps.
        let gpa = 1u64 << bit;
        if bit >= 40 {
            continue;
        }
        for (name, program) in &ACCESSES[..2] {
            let case = draft(format!("gpa-bit={bit},{name}")).program(program);
            out.push(case.poke(world::l2pt::PT + 9 * 8, gpa | 0x9067).done());
        }
    }
    for offset in [0u64, 1, 7, 0x7f8, 0xff8] {
        let case = draft(format!("offset={offset:#x}")).program(&[Insn::Load(0, PAGE + offset)]);
        out.push(case.poke(PT_ENTRY, PAGE | 0x66).done());
        let case =
            draft(format!("moved,offset={offset:#x}")).program(&[Insn::Load(0, PAGE + offset)]);
        let case = case.poke(PT_ENTRY, (world::DATA + 0xa000) | 0x67);
        out.push(case.poke(world::DATA + 0xa000 + (offset & !7), 0x1122_3344_5566_7788).done());
    }
}

/// The same entries, nested paging off: they do not matter.
fn off(out: &mut Cases) {
    for (name, entry) in
        [("absent", PAGE | 0x66), ("read-only", PAGE | 0x65), ("reserved", PAGE | 0x67 | 1 << 51)]
    {
        for (access, program) in &ACCESSES[..2] {
            let case =
                draft(format!("off,{name},{access}")).program(program).set(Field::NESTED_CTL, 0);
            out.push(case.poke(PT_ENTRY, entry).done());
        }
    }
}

/// A nested fault asks no #PF intercept and writes no CR2.
fn not_a_page_fault(out: &mut Cases) {
    for (name, program) in ACCESSES {
        for intercepted in [false, true] {
            let case = draft(format!("pf-intercept={},{name}", on(intercepted))).program(program);
            let case = case.set(Field::CR2, 0x1111).poke(PT_ENTRY, PAGE | 0x66);
            out.push(case.also(Field::INTERCEPT_EXCEPTIONS, u64::from(intercepted) << 14).done());
        }
        // Without GPR changes, the faulting instruction can run again once mended.
        let case =
            draft(format!("again,{name}")).program(program).poke(PT_ENTRY, PAGE | 0x66).run();
        if *name != "fetch" {
            out.push(case.poke(PT_ENTRY, PAGE | 0x67).run().case());
        }
    }
}
