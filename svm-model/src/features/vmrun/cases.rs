//! VMRUN's operand and every consistency check, one thing wrong at a time.

use alloc::format;

use crate::Feature::VmrunChecks;
use crate::arch::msr;
use crate::case::draft::{Draft, baseline};
use crate::case::{Insn, Step, world};
use crate::cases::Cases;
use crate::cpu::CpuFeature;
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    operand(out);
    reserved_bits(out);
    control_registers(out);
    long_mode(out);
    controls(out);
    nested(out);
    pae(out);
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(VmrunChecks, format!("vmrun/{}", id.as_ref()))
}

fn operand(out: &mut Cases) {
    for bit in 0..12 {
        let rax = world::VMCB | 1 << bit;
        out.push(draft(format!("rax,bit={bit}")).step(Step::Vmrun(rax)).case());
    }
    for bit in 40..64 {
        let rax = world::VMCB | 1 << bit;
        out.push(draft(format!("rax,bit={bit}")).step(Step::Vmrun(rax)).case());
    }
    // With SVME clear all SVM instructions are gone, whatever their operand.
    for (name, rax) in [("good", world::VMCB), ("unaligned", world::VMCB + 8)] {
        let id = format!("svme=0,rax={name}");
        out.push(draft(id).step(Step::Wrmsr(msr::EFER, 0xd00)).step(Step::Vmrun(rax)).case());
    }
    // The VMCB may be anywhere.
    let copy = world::BASELINE.iter().fold(draft("other-vmcb"), |draft, (field, value)| {
        let pa = world::VMCB2 + u64::from(field.offset());
        let value = if *field == Field::RAX { 0x77 } else { *value };
        draft.step(Step::Mem { pa, width: field.width(), value })
    });
    let copy = copy.needs(&[CpuFeature::Npt]).poke(world::VMCB2 + 0x5f8, 0x77);
    out.push(copy.step(Step::Vmrun(world::VMCB2)).case());
    // Two runs: the second starts where the first stopped.
    out.push(draft("twice").run().run().case());
    for clean in (0..12).map(|bit| 1 << bit).chain([0xffff_ffff]) {
        let id = format!("clean={clean:#x}");
        out.push(draft(id).run().set(Field::CLEAN, clean).run().case());
    }
}

/// Each bit that must be zero, and its neighbours that need not be.
fn reserved_bits(out: &mut Cases) {
    let fields = [
        (Field::CR0, 32..64),
        (Field::CR3, 40..64),
        (Field::DR6, 32..64),
        (Field::DR7, 32..64),
        (Field::EFER, 22..64),
        (Field::CR4, 25..64),
    ];
    for (field, bits) in fields {
        for bit in bits {
            // A CR3 bit below the physical address size would be another table; LAM's bits are CR3's and CR4's.
            if matches!((field, bit), (Field::CR3, 61..=62) | (Field::CR4, 28 | 32)) {
                continue;
            }
            let value = baseline(field) | 1 << bit;
            out.push(draft(format!("{field},bit={bit}")).set(field, value).done());
        }
    }
    for bit in [9, 16, 19] {
        let value = baseline(Field::EFER) | 1 << bit;
        out.push(draft(format!("efer,bit={bit}")).set(Field::EFER, value).done());
    }
    for bit in [13, 14, 15, 19] {
        let value = baseline(Field::CR4) | 1 << bit;
        out.push(draft(format!("cr4,bit={bit}")).set(Field::CR4, value).done());
    }
    // Bits of CR4 that the processor has, or has not.
    let optional = [
        (CpuFeature::Umip, 11),
        (CpuFeature::Fsgsbase, 16),
        (CpuFeature::Pcid, 17),
        (CpuFeature::Xsave, 18),
        (CpuFeature::Pku, 22),
    ];
    for (feature, bit) in optional {
        let value = baseline(Field::CR4) | 1 << bit;
        let name = feature.name();
        out.push(draft(format!("cr4,{name}=on")).needs(&[feature]).set(Field::CR4, value).done());
        out.push(
            draft(format!("cr4,{name}=off")).without(&[feature]).set(Field::CR4, value).done(),
        );
    }
    for bit in (0..11).filter(|b| *b != 5) {
        let value = baseline(Field::CR4) | 1 << bit;
        out.push(draft(format!("cr4,bit={bit}")).set(Field::CR4, value).done());
    }
    // DR6 and DR7 bits below 32 are not checked.
    for bit in [0, 3, 12, 13, 14, 16, 31] {
        let value = baseline(Field::DR6) ^ 1 << bit;
        out.push(draft(format!("dr6,bit={bit}")).set(Field::DR6, value).done());
    }
    for bit in [1, 8, 9, 10, 11, 12, 14, 15] {
        let value = baseline(Field::DR7) ^ 1 << bit;
        out.push(draft(format!("dr7,bit={bit}")).set(Field::DR7, value).done());
    }
}

fn control_registers(out: &mut Cases) {
    for cd_nw in 0..4u64 {
        for wp in 0..2u64 {
            let cr0 = baseline(Field::CR0) & !(1 << 16) | cd_nw << 29 | wp << 16;
            let id = format!("cr0,cd={},nw={},wp={wp}", cd_nw >> 1, cd_nw & 1);
            out.push(draft(id).set(Field::CR0, cr0).done());
        }
    }
    for svme in 0..2u64 {
        let efer = baseline(Field::EFER) & !(1 << 12) | svme << 12;
        out.push(draft(format!("efer,svme={svme}")).set(Field::EFER, efer).done());
    }
    let tce = baseline(Field::EFER) | 1 << 15;
    out.push(draft("efer,tce=on").needs(&[CpuFeature::Tce]).set(Field::EFER, tce).done());
    out.push(draft("efer,tce=off").without(&[CpuFeature::Tce]).set(Field::EFER, tce).done());
    let cet = baseline(Field::CR4) | 1 << 23;
    let no_wp = baseline(Field::CR0) & !(1 << 16);
    out.push(draft("cr4,cet=off").without(&[CpuFeature::ShadowStack]).set(Field::CR4, cet).done());
    let with = |id| draft(id).needs(&[CpuFeature::ShadowStack]).set(Field::CR4, cet);
    out.push(with("cr4,cet=on,wp=1").done());
    out.push(with("cr4,cet=on,wp=0").set(Field::CR0, no_wp).done());
    // Low bits of CR3 are not checked.
    for bit in 0..12 {
        let cr3 = world::L2PT | 1 << bit;
        out.push(draft(format!("cr3,bit={bit}")).set(Field::CR3, cr3).done());
    }
}

/// EFER.LME, CR0.PG, CR0.PE, CR4.PAE, CS.L, CS.D: every combination that can be judged.
fn long_mode(out: &mut Cases) {
    for mask in 0..64u64 {
        let bit = |n: u64| mask >> n & 1;
        let (lme, pg, pe, pae, l, d) = (bit(0), bit(1), bit(2), bit(3), bit(4), bit(5));
        let long = lme & pg == 1;
        let efer = 0x1800 | lme << 8 | if long { 1 << 10 } else { 0 };
        let cr0 = 0x8001_0033 & !(1 << 31 | 1) | pg << 31 | pe;
        let cs = 0x89b | l << 9 | d << 10;
        let id = format!("mode,lme={lme},pg={pg},pe={pe},pae={pae},l={l},d={d}");
        let valid = !long || pae == 1 && pe == 1 && l & d == 0;
        if valid && !(long && l == 1) {
            // A mode in which the program cannot run; paging of another kind is for other families.
            if pg == 1 {
                continue;
            }
        }
        let case = draft(id).set_all(&[
            (Field::EFER, efer),
            (Field::CR0, cr0),
            (Field::CR4, pae << 5),
            (Field::CS_ATTRIB, cs),
        ]);
        // Outside paging, code is found through CS.
        let case = if pg == 0 {
            let base = world::L2_CODE;
            case.set_all(&[(Field::CS_BASE, base), (Field::RIP, 0), (Field::CR3, 0)])
        } else {
            case
        };
        out.push(case.done());
    }
}

fn controls(out: &mut Cases) {
    let misc2 = baseline(Field::INTERCEPT_MISC2);
    out.push(draft("intercept-vmrun=0").set(Field::INTERCEPT_MISC2, misc2 & !1).done());
    for asid in [0, 1, 2, 7, 15] {
        out.push(draft(format!("asid={asid}")).set(Field::GUEST_ASID, asid).done());
    }
    for tlb in 0..256 {
        out.push(draft(format!("tlb-control={tlb}")).set(Field::TLB_CONTROL, tlb).done());
    }
    for (name, field, pages) in
        [("msrpm", Field::MSRPM_BASE_PA, 2), ("iopm", Field::IOPM_BASE_PA, 3)]
    {
        for phys_bits in [36, 40, 43, 46, 48, 52] {
            for page in 0..=pages + 1 {
                let base = (1u64 << phys_bits) - page * 0x1000;
                let id = format!("{name},limit={phys_bits},pages={page}");
                out.push(draft(id).set(field, base).done());
            }
        }
        for low in [1, 0x7ff, 0xfff] {
            let id = format!("{name},low={low:#x}");
            out.push(draft(id).set(field, baseline(field) | low).done());
        }
        for bit in [52, 62, 63] {
            let id = format!("{name},bit={bit}");
            out.push(draft(id).set(field, baseline(field) | 1 << bit).done());
        }
    }
}

fn nested(out: &mut Cases) {
    for bit in 40..64 {
        let id = format!("n_cr3,bit={bit}");
        let case = draft(id).needs(&[CpuFeature::Npt]);
        out.push(case.set(Field::N_CR3, world::NPT | 1 << bit).done());
    }
    for slot in 0..8 {
        for kind in (0..16).chain([0x80, 0xff]) {
            let pat = world::PAT & !(0xff << (8 * slot)) | kind << (8 * slot);
            let id = format!("g_pat,slot={slot},type={kind:#x}");
            out.push(draft(id).needs(&[CpuFeature::Npt]).set(Field::G_PAT, pat).done());
        }
    }
    let bad_pat = draft("g_pat,unused").set(Field::NESTED_CTL, 0).set(Field::G_PAT, u64::MAX);
    out.push(bad_pat.done());
    let bad_root = draft("n_cr3,unused").set(Field::NESTED_CTL, 0).set(Field::N_CR3, u64::MAX);
    out.push(bad_root.done());
    out.push(draft("np,unsupported").without(&[CpuFeature::Npt]).set(Field::NESTED_CTL, 1).done());
    out.push(draft("np=0").set(Field::NESTED_CTL, 0).program(&[Insn::Nop]).done());
}

/// PAE paging without nested paging: a reserved bit in one PDPTE.
fn pae(out: &mut Cases) {
    let base = |id: &str| {
        draft(id).set(Field::NESTED_CTL, 0).set_all(&[
            (Field::EFER, 0x1800),
            (Field::CS_ATTRIB, 0xc9b),
            (Field::CR3, world::DATA),
        ])
    };
    // The window's first page is the PDPT, the second an identity-mapped PD of 2 MiB pages.
    let tables = |draft: Draft| {
        let pd = world::DATA + 0x1000;
        (0..16).fold(draft.poke(world::DATA, pd | 1), |d, n| d.poke(pd + 8 * n, n << 21 | 0xe7))
    };
    out.push(tables(base("pae,good")).done());
    for entry in 0..4u64 {
        for bit in [1, 2, 5, 6, 7, 8, 40, 51, 52, 62, 63] {
            let at = world::DATA + 8 * entry;
            let value = if entry == 0 { world::DATA + 0x1001 } else { 1 };
            let id = |present| format!("pae,pdpte={entry},bit={bit},p={present}");
            out.push(tables(base(&id(1))).poke(at, value | 1 << bit).done());
            if entry > 0 {
                out.push(tables(base(&id(0))).poke(at, 1 << bit).done());
            }
        }
    }
}
