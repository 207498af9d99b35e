//! Single step, breakpoints, general detect, and debug registers across the
//! world switch.

use alloc::format;

use crate::Feature::Debug;
use crate::arch::flag;
use crate::arch::msr;
use crate::case::draft::{Draft, on, rip};
use crate::case::{Insn, Step, world};
use crate::cases::Cases;
use crate::vmcb::Field;

const DB: u64 = 1 << 1;

pub(crate) fn cases(out: &mut Cases) {
    single_step(out);
    breakpoints(out);
    general_detect(out);
    values(out);
    host(out);
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(Debug, format!("debug/{}", id.as_ref()))
}

fn single_step(out: &mut Cases) {
    let programs: &[(&str, &[Insn])] = &[
        ("nop", &[Insn::Nop, Insn::Nop]),
        ("mov", &[Insn::Mov(1, 5), Insn::Nop]),
        ("ud2", &[Insn::Ud2]),
        ("int3", &[Insn::Int3]),
        ("int", &[Insn::Int(0x40)]),
        ("icebp", &[Insn::Icebp]),
        ("cpuid", &[Insn::Cpuid]),
        ("vmmcall", &[]),
        ("popf-tf", &[Insn::Popf, Insn::Nop]),
        ("rdmsr", &[Insn::Rdmsr(msr::EFER)]),
        ("sti", &[Insn::Sti, Insn::Nop]),
        ("cr0", &[Insn::ReadCr(0, 0), Insn::Nop]),
    ];
    for (name, program) in programs {
        for intercepted in [false, true] {
            for cpuid in [0u64, 1 << 18] {
                if cpuid != 0 && *name != "cpuid" || cpuid == 0 && *name == "cpuid" {
                    continue;
                }
                let id = format!("tf,{name},db={}", on(intercepted));
                let case = draft(id).program(program).set(Field::RFLAGS, flag::FIXED | flag::TF);
                let case = case.also(Field::INTERCEPT_MISC1, cpuid);
                out.push(
                    case.also(Field::INTERCEPT_EXCEPTIONS, if intercepted { DB } else { 0 }).done(),
                );
            }
        }
    }
    for (name, event) in [("intr", 0x8000_0031u64), ("ud", 0x8000_0306), ("nmi", 0x8000_0202)] {
        let case = draft(format!("tf,inject-{name}"))
            .program(&[Insn::Nop])
            .set(Field::RFLAGS, flag::FIXED | flag::TF);
        out.push(case.set(Field::EVENTINJ, event).done());
    }
    for exceptions in [DB, 0xffff_ffff] {
        let case = draft(format!("icebp,exceptions={exceptions:#x}")).program(&[Insn::Icebp]);
        out.push(
            case.also(Field::INTERCEPT_EXCEPTIONS, exceptions).set(Field::DR6, 0xffff_0ff0).done(),
        );
    }
    out.push(draft("icebp,dr6").program(&[Insn::Icebp, Insn::Nop]).done());
}

fn breakpoints(out: &mut Cases) {
    let program = [Insn::Nop, Insn::Nop, Insn::Nop];
    for n in 0..4u8 {
        for enable in [1u64, 2, 3] {
            for intercepted in [false, true] {
                for rf in [0u64, 0x1_0000] {
                    let id =
                        format!("dr{n},enable={enable},db={},rf={}", on(intercepted), on(rf != 0));
                    let case = draft(id).program(&program).step(Step::WriteDr(n, rip(&program, 0)));
                    let case =
                        case.set(Field::DR7, 0x400 | enable << (2 * n)).set(Field::RFLAGS, 2 | rf);
                    out.push(
                        case.also(Field::INTERCEPT_EXCEPTIONS, if intercepted { DB } else { 0 })
                            .done(),
                    );
                }
            }
        }
        let id = format!("dr{n},second");
        let case = draft(id).program(&program).step(Step::WriteDr(n, rip(&program, 1)));
        out.push(
            case.set(Field::DR7, 0x400 | 1 << (2 * n)).also(Field::INTERCEPT_EXCEPTIONS, DB).done(),
        );
        let case = draft(format!("dr{n},disabled"))
            .program(&program)
            .step(Step::WriteDr(n, rip(&program, 0)));
        out.push(case.also(Field::INTERCEPT_EXCEPTIONS, DB).done());
        let case =
            draft(format!("dr{n},elsewhere")).program(&program).step(Step::WriteDr(n, world::DATA));
        out.push(
            case.set(Field::DR7, 0x400 | 1 << (2 * n)).also(Field::INTERCEPT_EXCEPTIONS, DB).done(),
        );
    }
    // Enabled by the host alone, it is not the guest's.
    for n in 0..4u8 {
        let case =
            draft(format!("host-dr{n}")).program(&program).step(Step::WriteDr(n, rip(&program, 1)));
        let case = case
            .step(Step::WriteDr(7, 0x400 | 1 << (2 * n)))
            .also(Field::INTERCEPT_EXCEPTIONS, DB)
            .run();
        out.push(case.step(Step::ReadDr(7)).case());
    }
}

fn general_detect(out: &mut Cases) {
    for n in [0u8, 3, 6, 7] {
        for read in [false, true] {
            for intercepted in [false, true] {
                let insn = if read { Insn::ReadDr(n, 0) } else { Insn::WriteDr(n, 0) };
                let name = if read { "read" } else { "write" };
                let id = format!("gd,dr{n},{name},db={}", on(intercepted));
                let case = draft(id).program(&[insn]).set(Field::DR7, 0x2400);
                out.push(
                    case.also(Field::INTERCEPT_EXCEPTIONS, if intercepted { DB } else { 0 }).done(),
                );
            }
        }
    }
}

/// Fixed bits of DR6 and DR7, and the halves that must be zero.
fn values(out: &mut Cases) {
    for n in [6u8, 7] {
        for value in
            if n == 6 { [0u64, 0xffff_0ff0, 0xffff_2ff5] } else { [0u64, 0x400, 0x5555_0700] }
        {
            let id = format!("guest-dr{n}={value:#x}");
            let program = [Insn::Mov(1, value), Insn::WriteDr(n, 1), Insn::ReadDr(n, 0)];
            out.push(draft(id).program(&program).done());
            let case = draft(format!("host-dr{n}={value:#x}")).step(Step::WriteDr(n, value));
            out.push(case.step(Step::ReadDr(n)).case());
        }
        for bit in 32..64 {
            let program = [Insn::Mov(1, 0x400 | 1 << bit), Insn::WriteDr(n, 1), Insn::ReadDr(n, 0)];
            out.push(draft(format!("guest-dr{n},bit={bit}")).program(&program).done());
        }
    }
}

fn host(out: &mut Cases) {
    for dr6 in [0xffff_0ff1u64, 0xffff_4ff0, 0xffff_0fff] {
        let case = draft(format!("host-dr6={dr6:#x}")).set(Field::DR6, dr6).run();
        out.push(case.step(Step::ReadDr(6)).case());
    }
    // What the guest enables is off in the host.
    for n in 0..4u8 {
        let program = [Insn::Mov(1, 0x400 | 3 << (2 * n)), Insn::WriteDr(7, 1)];
        let case = draft(format!("guest-enables-dr{n}")).program(&program).run();
        out.push(case.step(Step::ReadDr(7)).step(Step::ReadDr(n)).case());
    }
}
