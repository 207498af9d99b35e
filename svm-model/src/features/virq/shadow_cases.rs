//! The interrupt shadow: loaded, saved, made by STI, and what it holds.

use alloc::format;

use crate::Feature::Virq;
use crate::arch::intercept;
use crate::case::draft::{Draft, on};
use crate::case::{Event, Insn, Step};
use crate::cases::Cases;
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    loaded(out);
    sti(out);
    physical(out);
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(Virq, format!("shadow/{}", id.as_ref()))
}

/// INT_STATE bit 0 against what the first instruction is and does.
fn loaded(out: &mut Cases) {
    let firsts: &[(&str, Insn, Field, u64)] = &[
        ("cpuid", Insn::Cpuid, Field::INTERCEPT_MISC1, intercept::CPUID.mask()),
        ("nop", Insn::Nop, Field::INTERCEPT_MISC1, 0),
        ("ud2", Insn::Ud2, Field::INTERCEPT_EXCEPTIONS, 1 << 6),
        ("sti", Insn::Sti, Field::INTERCEPT_MISC1, 0),
        ("cli", Insn::Cli, Field::INTERCEPT_MISC1, 0),
    ];
    for (name, insn, field, bits) in firsts {
        for shadow in 0..2u64 {
            for irq in [false, true] {
                for flags in [2u64, 0x202] {
                    let id = format!("loaded={shadow},{name},irq={},rflags={flags:#x}", on(irq));
                    let case =
                        draft(id).program(&[insn.clone(), Insn::Nop]).set(Field::INT_STATE, shadow);
                    let case = case.set(Field::INT_CTL, if irq { 0xf_0100 } else { 0 });
                    let case = case.set(Field::INT_VECTOR, 0x93).set(Field::RFLAGS, flags);
                    out.push(case.also(*field, *bits).done());
                }
            }
        }
    }
}

fn sti(out: &mut Cases) {
    let programs: &[(&str, &[Insn])] = &[
        ("sti-vmmcall", &[Insn::Sti]),
        ("sti-nop", &[Insn::Sti, Insn::Nop]),
        ("sti-sti", &[Insn::Sti, Insn::Sti]),
        ("sti-cli", &[Insn::Sti, Insn::Cli]),
        ("sti-cli-nop", &[Insn::Sti, Insn::Cli, Insn::Nop]),
        ("sti-nop-nop", &[Insn::Sti, Insn::Nop, Insn::Nop]),
        ("sti-ud2", &[Insn::Sti, Insn::Ud2]),
        ("nop-sti-nop", &[Insn::Nop, Insn::Sti, Insn::Nop]),
    ];
    for (name, program) in programs {
        for irq in [false, true] {
            for flags in [2u64, 0x202] {
                for vintr in [0u64, 1 << 4] {
                    let id = format!(
                        "{name},irq={},rflags={flags:#x},vintr={}",
                        on(irq),
                        on(vintr != 0)
                    );
                    let case = draft(id)
                        .program(program)
                        .set(Field::INT_CTL, if irq { 0xf_0100 } else { 0 });
                    let case = case.set(Field::INT_VECTOR, 0x93).set(Field::RFLAGS, flags);
                    out.push(case.also(Field::INTERCEPT_MISC1, vintr).done());
                }
            }
        }
    }
}

/// A shadow holds physical interrupts too.
fn physical(out: &mut Cases) {
    for shadow in [0, 1] {
        for masking in [0u64] {
            for program in [&[Insn::Nop, Insn::Nop][..], &[Insn::Sti, Insn::Nop, Insn::Nop][..]] {
                let name = if program.len() == 2 { "nop" } else { "sti" };
                for flags in [2u64, 0x202] {
                    let id = format!(
                        "physical,{name},shadow={shadow},masking={},rflags={flags:#x}",
                        on(masking != 0)
                    );
                    let case = draft(id).program(program).clgi().raise(Event::Intr(0x51));
                    let case = case.set(Field::INT_STATE, shadow).set(Field::INT_CTL, masking);
                    let case = case.set(Field::RFLAGS, flags).step(Step::Rflags(0x202));
                    let case = case.run().step(Step::Rflags(2));
                    out.push(case.stgi().step(Step::Window).case());
                }
            }
        }
    }
}
