//! Control and debug registers: every register, every GPR, read and write,
//! intercepted and not; the selective CR0 intercept; values that fault.

use alloc::format;

use crate::Feature;
use crate::arch::msr;
use crate::case::draft::{Draft, on};
use crate::case::{Insn, world};
use crate::cases::Cases;
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    control(out);
    selective(out);
    faults(out);
    debug(out);
    write_traps(out);
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(Feature::Intercepts, format!("registers/{}", id.as_ref()))
}

/// The value that a write of that register leaves it valid with.
fn harmless(n: u8) -> u64 {
    match n {
        0 => 0x8001_0033,
        3 => world::L2PT,
        4 => 0x20,
        8 => 5,
        _ => 0x1234,
    }
}

/// The traps that only SEV-ES guests have: every bit of them is set.
fn write_traps(out: &mut Cases) {
    let writes = [
        ("cr0", Insn::WriteCr(0, 1)),
        ("cr2", Insn::WriteCr(2, 1)),
        ("cr3", Insn::WriteCr(3, 1)),
        ("cr4", Insn::WriteCr(4, 1)),
        ("cr8", Insn::WriteCr(8, 1)),
        ("lmsw", Insn::Lmsw(1)),
        ("clts", Insn::Clts),
    ];
    for (name, insn) in writes {
        let value = if let Insn::WriteCr(n, _) = insn { harmless(n) } else { 0x33 };
        let case = draft(format!("write-trap,{name}"));
        let case = case.program(&[Insn::Mov(1, value), insn.clone(), Insn::Nop]);
        out.push(case.also(Field::INTERCEPT_MISC2, 0xffff_8000).done());
    }
    for value in [0x1d00, 0x1501] {
        let case = draft(format!("write-trap,efer={value:#x}"));
        let case = case.program(&[Insn::Wrmsr(msr::EFER, value), Insn::Nop]);
        out.push(case.also(Field::INTERCEPT_MISC2, 0xffff_8000).done());
    }
}

fn control(out: &mut Cases) {
    for n in [0, 2, 3, 4, 8] {
        for gpr in 0..16u8 {
            for intercepted in [false, true] {
                let bits = u64::from(intercepted) << n;
                let id = format!("mov-r{gpr}-cr{n},intercept={}", on(intercepted));
                let case = draft(id).program(&[Insn::ReadCr(n, gpr)]);
                out.push(case.set(Field::INTERCEPT_CR_READ, bits).done());
                if gpr == 4 && !intercepted {
                    continue;
                }
                let id = format!("mov-cr{n}-r{gpr},intercept={}", on(intercepted));
                let case = draft(id).program(&[Insn::Mov(gpr, harmless(n)), Insn::WriteCr(n, gpr)]);
                out.push(case.set(Field::INTERCEPT_CR_WRITE, bits).done());
            }
        }
        for (name, insn) in [("read", Insn::ReadCr(n, 1)), ("write", Insn::WriteCr(n, 1))] {
            let program = [Insn::Mov(1, harmless(n)), insn];
            let id = format!("cr{n}-{name},cpl=3");
            let case = draft(&id).user().program(&program);
            out.push(
                case.set_all(&[
                    (Field::INTERCEPT_CR_READ, 0xffff),
                    (Field::INTERCEPT_CR_WRITE, 0xffff),
                ])
                .done(),
            );
            // Every intercept but the one.
            let id = format!("cr{n}-{name},others-intercepted");
            let others = 0xffff & !(1 << n);
            let (read, write) = if name == "read" { (others, 0xffff) } else { (0xffff, others) };
            let case = draft(&id).program(&program);
            out.push(
                case.set_all(&[
                    (Field::INTERCEPT_CR_READ, read),
                    (Field::INTERCEPT_CR_WRITE, write),
                ])
                .done(),
            );
        }
    }
    for n in [1, 5, 6, 7, 9, 10, 15] {
        for intercepted in [false, true] {
            for (name, insn) in [("read", Insn::ReadCr(n, 1)), ("write", Insn::WriteCr(n, 1))] {
                let id = format!("cr{n}-{name},intercept={}", on(intercepted));
                let bits = u64::from(intercepted) << n;
                let case = draft(id).program(&[insn]);
                out.push(
                    case.set_all(&[
                        (Field::INTERCEPT_CR_READ, bits),
                        (Field::INTERCEPT_CR_WRITE, bits),
                    ])
                    .done(),
                );
            }
        }
    }
    for (name, insn, field) in [
        ("smsw", Insn::Smsw(0), Field::INTERCEPT_CR_READ),
        ("smsw-r9", Insn::Smsw(9), Field::INTERCEPT_CR_READ),
        ("lmsw", Insn::Lmsw(1), Field::INTERCEPT_CR_WRITE),
        ("lmsw-r9", Insn::Lmsw(9), Field::INTERCEPT_CR_WRITE),
        ("clts", Insn::Clts, Field::INTERCEPT_CR_WRITE),
    ] {
        for intercepted in [false, true] {
            for user in [false, true] {
                let cpl = if user { 3 } else { 0 };
                let id = format!("{name},intercept={},cpl={cpl}", on(intercepted));
                let program = [Insn::Mov(1, 0xb), Insn::Mov(9, 0x9), insn.clone()];
                let case = draft(id).program(&program).set(field, u64::from(intercepted));
                out.push(if user { case.user().done() } else { case.done() });
            }
        }
    }
}

/// Every change of CR0's low bits and a few high ones, under each intercept.
fn selective(out: &mut Cases) {
    for sel in [false, true] {
        for write in [false, true] {
            let intercepts = |case: Draft| {
                case.also(Field::INTERCEPT_MISC1, u64::from(sel) << 5)
                    .set(Field::INTERCEPT_CR_WRITE, write.into())
            };
            for bit in [1, 2, 3, 5, 16, 18, 29, 30] {
                let cr0 = 0x8001_0033 ^ 1u64 << bit ^ if bit == 29 { 1 << 30 } else { 0 };
                let id = format!("sel-cr0,bit={bit},sel={},write={}", on(sel), on(write));
                let case = draft(id).program(&[Insn::Mov(1, cr0), Insn::WriteCr(0, 1)]);
                out.push(intercepts(case).done());
            }
            for (name, cr0) in
                [("same", 0x8001_0033), ("ts-mp", 0x8001_0039), ("ts-and-wp", 0x8000_003b)]
            {
                let id = format!("sel-cr0,{name},sel={},write={}", on(sel), on(write));
                let case = draft(id).program(&[Insn::Mov(1, cr0), Insn::WriteCr(0, 1)]);
                out.push(intercepts(case).done());
            }
            for word in 0..16 {
                let id = format!("sel-lmsw={word:#x},sel={},write={}", on(sel), on(write));
                let case = draft(id).program(&[Insn::Mov(1, word), Insn::Lmsw(1)]);
                out.push(intercepts(case).done());
            }
            for cr0 in [0x8001_0033, 0x8001_003b] {
                let id = format!("sel-clts,cr0={cr0:#x},sel={},write={}", on(sel), on(write));
                let case = draft(id).program(&[Insn::Clts]).set(Field::CR0, cr0);
                out.push(intercepts(case).done());
            }
        }
    }
}

/// Values that raise #GP, with and without the intercept.
fn faults(out: &mut Cases) {
    let values = [
        (0, "high", 1 << 32 | 0x8001_0033),
        (0, "bit-63", 1 << 63 | 0x8001_0033),
        (0, "nw", 0xa001_0033),
        (0, "pg-no-pe", 0x8001_0032),
        (0, "no-pg", 0x1_0033),
        (3, "bit-52", world::L2PT | 1 << 52),
        (3, "bit-60", world::L2PT | 1 << 60),
        (4, "no-pae", 0),
        (4, "bit-40", 0x20 | 1 << 40),
        (4, "bit-63", 0x20 | 1 << 63),
        (4, "bit-15", 0x20 | 1 << 15),
        (8, "16", 16),
        (8, "bit-63", 1 << 63),
    ];
    for (n, name, value) in values {
        for intercepted in [false, true] {
            for gp in [false, true] {
                let id = format!("cr{n}-fault,{name},intercept={},gp={}", on(intercepted), on(gp));
                let case = draft(id).program(&[Insn::Mov(1, value), Insn::WriteCr(n, 1)]);
                let case = case.set(Field::INTERCEPT_CR_WRITE, u64::from(intercepted) << n);
                out.push(case.also(Field::INTERCEPT_EXCEPTIONS, u64::from(gp) << 13).done());
            }
        }
    }
}

fn debug(out: &mut Cases) {
    for n in 0..8u8 {
        for gpr in 0..16u8 {
            for intercepted in [false, true] {
                let bits = u64::from(intercepted) << n;
                let id = format!("mov-r{gpr}-dr{n},intercept={}", on(intercepted));
                let case = draft(id).program(&[Insn::ReadDr(n, gpr)]);
                out.push(case.set(Field::INTERCEPT_DR_READ, bits).done());
                if gpr == 4 && !intercepted {
                    continue;
                }
                let value = if n == 7 || n == 5 { 0x600 } else { 0x1234 };
                let id = format!("mov-dr{n}-r{gpr},intercept={}", on(intercepted));
                let case = draft(id).program(&[Insn::Mov(gpr, value), Insn::WriteDr(n, gpr)]);
                out.push(case.set(Field::INTERCEPT_DR_WRITE, bits).done());
            }
        }
        for read in [false, true] {
            let name = if read { "read" } else { "write" };
            let insn = if read { Insn::ReadDr(n, 1) } else { Insn::WriteDr(n, 1) };
            let others = 0xffff & !(1u64 << n);
            let case = draft(format!("dr{n}-{name},others-intercepted"))
                .program(&[Insn::Mov(1, 0), insn.clone()]);
            let (r, w) = if read { (others, 0xffff) } else { (0xffff, others) };
            out.push(
                case.set_all(&[(Field::INTERCEPT_DR_READ, r), (Field::INTERCEPT_DR_WRITE, w)])
                    .done(),
            );
            for intercepted in [false, true] {
                let bits = if intercepted { 0xffff } else { 0 };
                let fields = [(Field::INTERCEPT_DR_READ, bits), (Field::INTERCEPT_DR_WRITE, bits)];
                let case = draft(format!("dr{n}-{name},cpl=3,intercept={}", on(intercepted)));
                out.push(case.user().program(core::slice::from_ref(&insn)).set_all(&fields).done());
                let case = draft(format!("dr{n}-{name},de,intercept={}", on(intercepted)));
                let case = case.program(&[Insn::Mov(1, 0), insn.clone()]).set(Field::CR4, 0x28);
                out.push(case.set_all(&fields).done());
            }
        }
    }
}
