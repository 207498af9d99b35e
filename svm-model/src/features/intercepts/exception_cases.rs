//! Exceptions that the guest causes, and faults on the way to an instruction.

use alloc::format;

use super::cases::draft;
use crate::case::draft::on;
use crate::case::{Insn, world};
use crate::cases::Cases;
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    exceptions(out);
    rare_exceptions(out);
    faults_and_intercepts(out);
}

/// Exceptions that the guest causes, intercepted or left to its stubs.
fn exceptions(out: &mut Cases) {
    let missing = world::DATA + 0x5000;
    let rows: &[(&str, u64, &[Insn])] = &[
        ("de", 0, &[Insn::Divide]),
        ("bp", 3, &[Insn::Int3]),
        ("ud", 6, &[Insn::Ud2]),
        ("ud-into", 6, &[Insn::Into]),
        ("gp-cr", 13, &[Insn::Mov(1, 1 << 40), Insn::WriteCr(0, 1)]),
        ("gp-canonical", 13, &[Insn::Load(0, 1 << 50)]),
        ("gp-jump", 13, &[Insn::Jump(1 << 50)]),
        ("gp-ltr", 13, &[Insn::Mov(0, 0), Insn::Ltr(0)]),
        ("gp-ltr-busy", 13, &[Insn::Mov(0, 0x18), Insn::Ltr(0)]),
        ("ss", 12, &[Insn::Mov(4, 1 << 50), Insn::Pushf]),
        ("pf-read", 14, &[Insn::Load(0, missing)]),
        ("pf-write", 14, &[Insn::Store(missing)]),
        ("pf-jump", 14, &[Insn::Jump(missing)]),
        ("vmmcall", 6, &[Insn::Vmmcall]),
    ];
    for (name, vector, program) in rows {
        for intercepted in [0u64, 1, 2] {
            // 2: every vector but this one.
            let bits = [0, 1 << vector, !(1 << vector) & 0xffff_ffff][intercepted as usize];
            if *name == "vmmcall" && intercepted != 1 {
                continue;
            }
            for user in [false, true] {
                let id = format!(
                    "exception,{name},intercept={intercepted},cpl={}",
                    if user { 3 } else { 0 }
                );
                let case = draft(id).program(program).program(&[Insn::Nop]);
                let case = case.set(Field::INTERCEPT_EXCEPTIONS, bits);
                let case =
                    case.poke(world::l2pt::PT + 5 * 8, missing | 0x66).set(Field::CR2, 0x1111);
                let case =
                    if *name == "vmmcall" { case.set(Field::INTERCEPT_MISC2, 1) } else { case };
                out.push(if user { case.user().done() } else { case.done() });
            }
        }
    }
    for (name, cr0) in [("ts", 0x8001_003b), ("em", 0x8001_0035), ("none", 0x8001_0033)] {
        for intercepted in [0u64, 1] {
            let id = format!("exception,nm,{name},intercept={intercepted}");
            let case = draft(id).program(&[Insn::Fnop]).set(Field::CR0, cr0);
            out.push(case.also(Field::INTERCEPT_EXCEPTIONS, intercepted << 7).done());
        }
    }
    for vector in [0u8, 1, 3, 4, 6, 8, 13, 14, 0x20, 0x80] {
        let id = format!("int={vector:#x},exceptions-intercepted");
        let case = draft(id).program(&[Insn::Int(vector)]);
        out.push(case.set(Field::INTERCEPT_EXCEPTIONS, 0xffff_ffff).done());
    }
    let icebp = draft("icebp,exceptions-intercepted").program(&[Insn::Icebp]);
    out.push(icebp.set(Field::INTERCEPT_EXCEPTIONS, 0xffff_ffff).done());
}

/// #OF, which 64-bit mode does not have, and #AC, which needs CPL 3.
fn rare_exceptions(out: &mut Cases) {
    for overflow in [0u64, 1 << 11] {
        for intercepted in [0u64, 1 << 4] {
            let id = format!(
                "exception,of,flag={},intercept={}",
                on(overflow != 0),
                on(intercepted != 0)
            );
            let case = draft(id).program(&[Insn::Into, Insn::Nop]).set(Field::CS_ATTRIB, 0xc9b);
            let case = case.set(Field::RFLAGS, 2 | overflow);
            out.push(case.also(Field::INTERCEPT_EXCEPTIONS, intercepted).done());
        }
    }
    for am in [0u64, 1 << 18] {
        for ac in [0u64, 1 << 18] {
            for offset in [0, 1, 4] {
                for intercepted in [0u64, 1 << 17] {
                    let id = format!(
                        "exception,ac,am={},ac={},offset={offset},intercept={}",
                        on(am != 0),
                        on(ac != 0),
                        on(intercepted != 0)
                    );
                    let case = draft(id).user().program(&[Insn::Load(0, world::DATA + offset)]);
                    let case = case.set(Field::CR0, 0x8001_0033 | am).set(Field::RFLAGS, 2 | ac);
                    out.push(case.also(Field::INTERCEPT_EXCEPTIONS, intercepted).done());
                }
            }
        }
    }
}

/// A fault on the way to an instruction, and that instruction's intercept.
fn faults_and_intercepts(out: &mut Cases) {
    let gate = |vector: u64| world::L2_IDT + 16 * vector;
    for (name, entry) in [("absent", 0x6e), ("type", 0x8c)] {
        for vector in [3u64, 6, 0x40] {
            for intercepts in [0u64, 1 << 11 | 1 << 13, 1 << 8] {
                let insn = match vector {
                    3 => Insn::Int3,
                    6 => Insn::Ud2,
                    _ => Insn::Int(0x40),
                };
                let id = format!("gate-{name},vector={vector},intercept={intercepts:#x}");
                let word = world::initial_word(gate(vector)) & !(0xff << 40) | entry << 40;
                let case = draft(id).program(&[insn]).poke(gate(vector), word);
                out.push(case.also(Field::INTERCEPT_EXCEPTIONS, intercepts).done());
            }
        }
    }
    // The IDT ends early: #GP for the first, again for its own, then #DF, then shutdown.
    for limit in [0xfff, 0xdf, 0x8f, 0x7f, 0x6f, 0x0f, 0] {
        for intercepts in [0u64, 1 << 13, 1 << 8] {
            for shutdown in [0x8000_0000u64, 0] {
                if shutdown == 0 && (limit <= 0x8f || intercepts != 0) {
                    continue;
                }
                let id = format!(
                    "idt-limit={limit:#x},intercept={intercepts:#x},shutdown={shutdown:#x}"
                );
                let case = draft(id).program(&[Insn::Ud2]).set(Field::IDTR_LIMIT, limit);
                let case = case.set(Field::INTERCEPT_MISC1, shutdown);
                out.push(case.also(Field::INTERCEPT_EXCEPTIONS, intercepts).done());
            }
        }
    }
    // No stack: #PF or #SS while pushing becomes #DF, and that has no stack either.
    for (name, rsp) in [("missing", world::DATA + 0x6000), ("non-canonical", 1 << 50)] {
        for intercepts in [0u64, 1 << 14, 1 << 12, 1 << 8] {
            for insn in [Insn::Ud2, Insn::Int3, Insn::Divide] {
                let id = format!("stack-{name},{insn:?},intercept={intercepts:#x}").to_lowercase();
                let case = draft(id).program(&[insn]).set(Field::RSP, rsp);
                let case = case.poke(world::l2pt::PT + 5 * 8, world::DATA + 0x5066);
                out.push(case.also(Field::INTERCEPT_EXCEPTIONS, intercepts).done());
            }
        }
    }
}
