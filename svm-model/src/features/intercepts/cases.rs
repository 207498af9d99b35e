//! Every instruction with an intercept: intercepted or not, at CPL 0 and 3,
//! and with what it may raise first.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature;
use crate::arch::intercept;
use crate::case::draft::{Draft, on};
use crate::cases::Cases;
use crate::features::task_switch;

use super::exception_cases;
use crate::case::{Insn, world};
use crate::cpu::CpuFeature;
use crate::vmcb::Field;

/// An instruction, its intercept bit, and how it is written down.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) insn: Insn,
    pub(crate) field: Field,
    pub(crate) bit: u8,
    /// RAX that it is executed with.
    pub(crate) rax: Option<u64>,
    /// Whether RCX must be zero.
    pub(crate) rcx: bool,
}

fn row(name: &'static str, insn: Insn, bit: u8) -> Row {
    Row { name, insn, field: Field::INTERCEPT_MISC1, bit, rax: None, rcx: false }
}

fn row2(name: &'static str, insn: Insn, bit: u8) -> Row {
    Row { field: Field::INTERCEPT_MISC2, ..row(name, insn, bit) }
}

fn row3(name: &'static str, insn: Insn, bit: u8) -> Row {
    Row { field: Field::INTERCEPT_MISC3, ..row(name, insn, bit) }
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row("sidt", Insn::Sidt, 6),
        row("sgdt", Insn::Sgdt, 7),
        row("sldt", Insn::Sldt(0), 8),
        row("str", Insn::Str(0), 9),
        row("lidt", Insn::Lidt, 10),
        row("lgdt", Insn::Lgdt, 11),
        row("lldt", Insn::Lldt(0), 12),
        row("ltr", Insn::Ltr(0), 13),
        row("rdtsc", Insn::Rdtsc, 14),
        Row { rcx: true, ..row("rdpmc", Insn::Rdpmc, 15) },
        row("pushf", Insn::Pushf, 16),
        row("popf", Insn::Popf, 17),
        row("cpuid", Insn::Cpuid, 18),
        row("rsm", Insn::Rsm, 19),
        row("iret", Insn::Iret, 20),
        row("int", Insn::Int(0x40), 21),
        row("invd", Insn::Invd, 22),
        row("pause", Insn::Pause, 23),
        row("hlt", Insn::Hlt, 24),
        row("invlpg", Insn::Invlpg(world::DATA), 25),
        Row { rax: Some(world::DATA), ..row("invlpga", Insn::Invlpga, 26) },
        Row { rax: Some(world::VMCB2), ..row2("vmrun", Insn::Vmrun, 0) },
        row2("vmmcall", Insn::Vmmcall, 1),
        Row { rax: Some(world::VMCB2), ..row2("vmload", Insn::Vmload, 2) },
        Row { rax: Some(world::VMCB2), ..row2("vmsave", Insn::Vmsave, 3) },
        row2("stgi", Insn::Stgi, 4),
        row2("clgi", Insn::Clgi, 5),
        row2("skinit", Insn::Skinit, 6),
        Row { ..row2("rdtscp", Insn::Rdtscp, 7) },
        row2("icebp", Insn::Icebp, 8),
        row2("wbinvd", Insn::Wbinvd, 9),
        row2("wbnoinvd", Insn::Wbnoinvd, 9),
        Row { rax: Some(world::DATA), rcx: true, ..row2("monitor", Insn::Monitor, 10) },
        Row { ..Row { rcx: true, ..row2("mwait", Insn::Mwait, 11) } },
        Row { rax: Some(1), rcx: true, ..row2("xsetbv", Insn::Xsetbv, 13) },
        Row { rcx: true, ..row2("rdpru", Insn::Rdpru, 14) },
        row3("invlpgb", Insn::Invlpgb, 0),
        row3("invpcid", Insn::Invpcid(2), 2),
        row3("tlbsync", Insn::Tlbsync, 4),
    ]
}

/// The program that executes a row's instruction.
pub(crate) fn program(row: &Row) -> Vec<Insn> {
    let rax = row.rax.map(|rax| Insn::Mov(0, rax));
    let rcx = row.rcx.then_some([Insn::Mov(1, 0), Insn::Mov(2, 0)]);
    rax.into_iter().chain(rcx.into_iter().flatten()).chain([row.insn.clone(), Insn::Nop]).collect()
}

pub(crate) fn cases(out: &mut Cases) {
    for row in rows() {
        // Without its intercept VMMCALL raises #UD, whose stub ends in VMMCALL.
        if row.name == "vmmcall" {
            continue;
        }
        matrix(out, &row);
        everything_else(out, &row);
    }
    decode(out);
    unsupported(out);
    exceptions_first(out);
    exception_cases::cases(out);
    armed(out);
    task_switch::cases::cases(out);
}

pub(crate) fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(Feature::Intercepts, format!("instructions/{}", id.as_ref()))
}

fn base(row: &Row, intercepted: bool) -> Draft {
    let bits = crate::case::draft::baseline(row.field) & !(1 << row.bit);
    // The VMRUN intercept must be set for the guest to start at all.
    let bits = if intercepted || row.name == "vmrun" { bits | 1 << row.bit } else { bits };
    let xcr = if row.name == "xsetbv" { 0x4_0020 } else { 0x20 };
    let draft = Draft::new(Feature::Intercepts, "").program(&program(row)).set(row.field, bits);
    if row.name == "xsetbv" {
        draft.needs(&[CpuFeature::Xsave]).set(Field::CR4, xcr)
    } else {
        draft
    }
}

fn named(draft: Draft, id: &str) -> Draft {
    let case = draft.case();
    let mut renamed = self::draft(id).needs(&[]).program(&case.program);
    for step in case.steps {
        renamed = renamed.step(step);
    }
    case.cpu.needs.iter().fold(renamed, |d, f| d.needs(&[f]))
}

/// What executes without its intercept leads where no case can follow.
const OPEN_WITHOUT: &[&str] = &["iret", "hlt", "skinit", "mwait", "invlpgb", "tlbsync"];

fn matrix(out: &mut Cases, row: &Row) {
    for intercepted in [false, true] {
        if !intercepted && OPEN_WITHOUT.contains(&row.name) {
            continue;
        }
        for user in [false, true] {
            // XSETBV at CPL 3: #GP or the intercept, the manual does not say.
            if row.name == "xsetbv" && intercepted && user {
                continue;
            }
            let id = format!(
                "{},intercept={},cpl={}",
                row.name,
                on(intercepted),
                if user { 3 } else { 0 }
            );
            let case = named(base(row, intercepted), &id);
            out.push(if user { case.user().done() } else { case.done() });
        }
        // In the shadow of STI.
        let id = format!("{},intercept={},sti", row.name, on(intercepted));

        let mut before = program(row);
        before.insert(before.len() - 2, Insn::Sti);
        let case = draft(id).program(&before);
        let fields = base(row, intercepted).case();
        let case = fields.steps.into_iter().fold(case, Draft::step);
        out.push(fields.cpu.needs.iter().fold(case, |d, f| d.needs(&[f])).done());
    }
}

/// All intercepts but this instruction's: it runs as if none were set.
fn everything_else(out: &mut Cases, row: &Row) {
    if matches!(row.name, "vmrun" | "int" | "icebp") || OPEN_WITHOUT.contains(&row.name) {
        return;
    }
    let words = [
        (Field::INTERCEPT_MISC1, 0x8fff_ffe0u64),
        (Field::INTERCEPT_MISC2, 0x6fff),
        (Field::INTERCEPT_MISC3, 0x1f),
        (Field::INTERCEPT_CR_READ, 0xffff),
        (Field::INTERCEPT_CR_WRITE, 0xffff),
        (Field::INTERCEPT_DR_READ, 0xffff),
        (Field::INTERCEPT_DR_WRITE, 0xffff),
    ];
    let case = words.iter().fold(
        draft(format!("{},others-intercepted", row.name)),
        |case, (field, bits)| {
            let own = if *field == row.field { 1 << row.bit } else { 0 };
            case.set(*field, bits & !own)
        },
    );
    let case = case.program(&program(row));
    let case = if row.name == "xsetbv" {
        case.needs(&[CpuFeature::Xsave]).set(Field::CR4, 0x4_0020)
    } else {
        case
    };
    out.push(case.done());
    // And all intercepts at once.
    let case = words
        .iter()
        .fold(draft(format!("{},all-intercepted", row.name)), |c, (f, b)| c.set(*f, *b));
    let case = case.program(&program(row));
    let case = if row.name == "xsetbv" {
        case.needs(&[CpuFeature::Xsave]).set(Field::CR4, 0x4_0020)
    } else {
        case
    };
    out.push(case.done());
}

/// Operands that decode assists report.
fn decode(out: &mut Cases) {
    let draft = |id| Draft::new(Feature::DecodeAssists, id);
    for vector in (0..=255u8).step_by(5).chain([1, 3, 4, 8, 13, 14, 0x80, 0xff]) {
        for user in [false, true] {
            let id =
                format!("instructions/decode,int={vector:#x},cpl={}", if user { 3 } else { 0 });
            if out.iter().any(|c| c.id == id) {
                continue;
            }
            let case = draft(id)
                .program(&[Insn::Int(vector)])
                .also(Field::INTERCEPT_MISC1, intercept::SWINT.mask());
            out.push(if user { case.user().done() } else { case.done() });
        }
    }
    for address in
        [0, 1, 0xfff, world::DATA + 0x123, 0x7fff_ffff_ffff, 0xffff_8000_0000_0000, u64::MAX]
    {
        let id = format!("instructions/decode,invlpg={address:#x}");
        let case = draft(id).program(&[Insn::Invlpg(address)]);
        out.push(case.also(Field::INTERCEPT_MISC1, intercept::INVLPG.mask()).done());
        let id = format!("instructions/decode,invlpga={address:#x}");
        let case = draft(id).program(&[Insn::Mov(0, address), Insn::Mov(1, 1), Insn::Invlpga]);
        out.push(case.also(Field::INTERCEPT_MISC1, intercept::INVLPGA.mask()).done());
    }
}

/// Instructions that CPUID can be without.
fn unsupported(out: &mut Cases) {
    let rows = [
        ("rdtscp", Insn::Rdtscp, CpuFeature::Rdtscp, Field::INTERCEPT_MISC2, 7),
        ("skinit", Insn::Skinit, CpuFeature::Skinit, Field::INTERCEPT_MISC2, 6),
        ("monitor", Insn::Monitor, CpuFeature::Monitor, Field::INTERCEPT_MISC2, 10),
        ("mwait", Insn::Mwait, CpuFeature::Monitor, Field::INTERCEPT_MISC2, 11),
        ("rdpru", Insn::Rdpru, CpuFeature::Rdpru, Field::INTERCEPT_MISC2, 14),
        ("invpcid", Insn::Invpcid(2), CpuFeature::Invpcid, Field::INTERCEPT_MISC3, 2),
        ("invlpgb", Insn::Invlpgb, CpuFeature::Invlpgb, Field::INTERCEPT_MISC3, 0),
        ("mcommit", Insn::Mcommit, CpuFeature::Mcommit, Field::INTERCEPT_MISC3, 3),
        ("tlbsync", Insn::Tlbsync, CpuFeature::Invlpgb, Field::INTERCEPT_MISC3, 4),
    ];
    for (name, insn, feature, field, bit) in rows {
        for intercepted in [false, true] {
            let id = format!("unsupported,{name},intercept={}", on(intercepted));
            let case = draft(id).without(&[feature]).program(core::slice::from_ref(&insn));
            let bits = u64::from(intercepted) << bit;
            out.push(case.also(field, bits).done());
        }
    }
}

fn exceptions_first(out: &mut Cases) {
    for (cr4, name) in [(0x24, "tsd"), (0x20, "no-tsd")] {
        for (insn, bit, field) in
            [(Insn::Rdtsc, 14, Field::INTERCEPT_MISC1), (Insn::Rdtscp, 7, Field::INTERCEPT_MISC2)]
        {
            let id = format!("{insn:?},{name},cpl=3").to_lowercase();
            let case = draft(id).user().program(&[insn]).set(Field::CR4, cr4);
            out.push(case.also(field, 1 << bit).done());
        }
    }
    for (cr4, name) in [(0x120, "pce"), (0x20, "no-pce")] {
        for intercepted in [0, 1u64] {
            let id = format!("rdpmc,{name},cpl=3,intercept={intercepted}");
            let program = [Insn::Mov(1, 0), Insn::Rdpmc];
            let case = draft(id).user().program(&program).set(Field::CR4, cr4);
            out.push(case.also(Field::INTERCEPT_MISC1, intercepted << 15).done());
        }
    }
    for (name, insn, bit) in [
        ("sidt", Insn::Sidt, 6),
        ("sgdt", Insn::Sgdt, 7),
        ("sldt", Insn::Sldt(0), 8),
        ("str", Insn::Str(0), 9),
    ] {
        for umip in [false, true] {
            let id = format!("{name},umip={},cpl=3", on(umip));
            let case =
                draft(id).needs(&[CpuFeature::Umip]).user().program(core::slice::from_ref(&insn));
            let case = case.set(Field::CR4, 0x20 | u64::from(umip) << 11);
            out.push(case.also(Field::INTERCEPT_MISC1, 1 << bit).done());
        }
    }
    for rax in [8, 0x800, 1 << 45, 1 << 52, 1 << 63] {
        for (name, insn, bit) in
            [("vmrun", Insn::Vmrun, 0), ("vmload", Insn::Vmload, 2), ("vmsave", Insn::Vmsave, 3)]
        {
            for addr_chk in [false, true] {
                let id = format!("{name},rax={rax:#x},addr-chk={}", on(addr_chk));
                let case = draft(id).program(&[Insn::Mov(0, rax), insn.clone()]);
                let case = if addr_chk {
                    case.needs(&[CpuFeature::AddrChk])
                } else {
                    case.without(&[CpuFeature::AddrChk])
                };
                out.push(case.also(Field::INTERCEPT_MISC2, 1 << bit).done());
            }
        }
    }
}

/// MWAIT behind MONITOR, under each of its two intercepts.
fn armed(out: &mut Cases) {
    for bits in 0..4u64 {
        for armed in [false, true] {
            let id = format!(
                "mwait,armed={},intercept={},armed-intercept={}",
                on(armed),
                bits & 1,
                bits >> 1
            );
            let mut program = vec![Insn::Mov(0, world::DATA), Insn::Mov(1, 0), Insn::Mov(2, 0)];
            program.extend(armed.then_some(Insn::Monitor));
            program.push(Insn::Mwait);
            let case = draft(id).needs(&[CpuFeature::Monitor]).program(&program);
            // MWAIT that no intercept stops may wait for ever.
            if bits == 0 {
                continue;
            }
            out.push(case.also(Field::INTERCEPT_MISC2, bits << 11).done());
        }
    }
}
