//! Breakpoints on data and ports, steps of branches, RF in what is pushed, HLT with TF.

use alloc::format;
use alloc::vec;

use crate::Feature::Debug;
use crate::arch::{cr4, debugctl, dr, flag, int_ctl, msr};
use crate::case::draft::{Draft, on};
use crate::case::{Event, Insn, Step, world};
use crate::cases::Cases;
use crate::vmcb::{Field, exit};

pub(crate) const DB: u64 = exit::EXCP + 1;
const TF: u64 = flag::FIXED | flag::TF;
/// What data breakpoints watch.
pub(crate) const WATCHED: u64 = world::DATA + 0x1100;
pub(crate) const PORT: u16 = 0x80;
/// R/W of DR7.
pub(crate) const ON_WRITE: u64 = 1;
const ON_IO: u64 = 2;
pub(crate) const ON_ACCESS: u64 = 3;
/// LEN of DR7, and how many bytes that is.
const LENGTHS: [(u64, u64); 4] = [(0, 1), (1, 2), (3, 4), (2, 8)];

pub(crate) fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(Debug, format!("traps/{}", id.as_ref()))
}

/// DR7 that enables breakpoint `n` with that R/W and LEN.
pub(crate) const fn enabled(n: u8, condition: u64, length: u64) -> u64 {
    dr::DR7_ONES | 2 << (2 * n) | (condition | length << 2) << (16 + 4 * n)
}

pub(crate) fn cases(out: &mut Cases) {
    data(out);
    operands(out);
    streams(out);
    ports(out);
    status(out);
    in_turn(out);
    beside_steps(out);
    in_l1(out);
    gif_clear(out);
    branches(out);
    super::pushed_cases::cases(out);
}

/// Run with #DB intercepted, and with #DB left to L2.
fn both(out: &mut Cases, make: impl Fn(&str) -> Draft) {
    out.push(make(",db=off").done());
    out.push(make(",db=on").intercept(DB).done());
}

/// Each length and condition, and each place of an access that overlaps or just does not.
fn data(out: &mut Cases) {
    let mut n = 0;
    for (length, bytes) in LENGTHS {
        for condition in [ON_WRITE, ON_ACCESS] {
            for offset in [-8i64, -7, -1, 0, 1, 2, 3, 4, 7, 8] {
                for (name, insn) in [
                    ("load", Insn::Load as fn(u8, u64) -> Insn),
                    ("store", |_, at| Insn::Store(at)),
                ] {
                    n = (n + 1) % 4;
                    let at = WATCHED.wrapping_add_signed(offset);
                    let id =
                        format!("data,{name},dr{n},rw={condition},bytes={bytes},offset={offset}");
                    let case = draft(id).program(&[insn(0, at), Insn::Nop]);
                    let case = case.step(Step::WriteDr(n, WATCHED));
                    out.push(
                        case.set(Field::DR7, enabled(n, condition, length)).intercept(DB).done(),
                    );
                }
            }
        }
        // The low bits of DRn do not count.
        for low in 1..bytes {
            let id = format!("data,bytes={bytes},low={low}");
            let case =
                draft(id).program(&[Insn::Store(WATCHED - 8), Insn::Store(WATCHED), Insn::Nop]);
            let case = case.step(Step::WriteDr(1, WATCHED + low));
            out.push(case.set(Field::DR7, enabled(1, ON_WRITE, length)).intercept(DB).done());
        }
    }
    for n in 0..4u8 {
        for enable in [0u64, 1, 2, 3] {
            both(out, |db| {
                let id = format!("data,dr{n},enable={enable}{db}");
                let case = draft(id).program(&[Insn::Store(WATCHED), Insn::Nop]);
                let dr7 = enabled(n, ON_ACCESS, 2) & !(3 << (2 * n)) | enable << (2 * n);
                case.step(Step::WriteDr(n, WATCHED)).set(Field::DR7, dr7)
            });
        }
    }
}

/// Each instruction that reads or writes memory, with its operand watched.
fn operands(out: &mut Cases) {
    let stack = world::L2_STACK;
    let rows: &[(&str, u64, &[Insn])] = &[
        ("lock-not", WATCHED, &[Insn::LockNot(WATCHED)]),
        ("xchg", WATCHED, &[Insn::Xchg(WATCHED)]),
        ("sidt", world::SCRATCH, &[Insn::Sidt]),
        ("sidt-base", world::SCRATCH + 8, &[Insn::Sidt]),
        ("sgdt", world::SCRATCH, &[Insn::Sgdt]),
        ("lidt", world::SCRATCH_IDTR, &[Insn::Lidt]),
        ("lgdt", world::SCRATCH_GDTR, &[Insn::Lgdt]),
        ("pushf", stack - 8, &[Insn::Pushf]),
        ("popf", stack - 8, &[Insn::Pushf, Insn::Mov(1, 1), Insn::Popf]),
    ];
    for (name, at, program) in rows {
        for condition in [ON_WRITE, ON_ACCESS] {
            both(out, |db| {
                let id = format!("operand,{name},rw={condition}{db}");
                let case = draft(id).program(program).program(&[Insn::Nop]);
                let case = case.step(Step::WriteDr(2, *at));
                case.set(Field::DR7, enabled(2, condition, 2))
            });
        }
    }
    // What an event pushes: the trap is in front of the handler.
    for (name, insn) in
        [("ud", Insn::Ud2), ("int", Insn::Int(0x40)), ("bp", Insn::Int3), ("icebp", Insn::Icebp)]
    {
        for slot in [8u64, 24, 40] {
            both(out, |db| {
                let case = draft(format!("frame,{name},slot={slot}{db}"));
                let case = case.program(core::slice::from_ref(&insn));
                let case = case.step(Step::WriteDr(3, stack - slot));
                case.set(Field::DR7, enabled(3, ON_WRITE, 2))
            });
        }
    }
}

/// A #DB that is met by what the one before has pushed, and an interrupt that waits for STI: the
/// gate of #DB leaves IF as it is, or clears it.
fn streams(out: &mut Cases) {
    let gate = world::L2_IDT + 16;
    for frames in 1..4u64 {
        for trap in [false, true] {
            for misc1 in [0, 1] {
                let id = format!("stream,frames={frames},trap={},exit={misc1}", on(trap));
                let case = draft(id).program(&[Insn::Sti, Insn::Nop, Insn::Nop]).clgi();
                let case = (1..=frames).fold(case.raise(Event::Intr(0x61)), |case, n| {
                    case.step(Step::WriteDr(n as u8, world::L2_STACK + 40 - 48 * n))
                });
                let dr7 = (1..=frames).fold(0, |dr7, n| dr7 | enabled(n as u8, ON_WRITE, 2));
                let case = case.poke(gate, world::initial_word(gate) | u64::from(trap) << 40);
                let case = case.set(Field::DR7, dr7).set(Field::RFLAGS, TF);
                let case = case.also(Field::INTERCEPT_MISC1, misc1).run();
                out.push(case.stgi().step(Step::Window).case());
            }
        }
    }
}

/// I/O breakpoints, in front of which the permission map is asked.
fn ports(out: &mut Cases) {
    for size in [1u8, 2, 4] {
        for (length, bytes) in [(0, 1u64), (1, 2), (3, 4)] {
            for offset in [0u16, 1, 4] {
                for input in [false, true] {
                    let port = PORT + offset;
                    let insn =
                        if input { Insn::In { size, port } } else { Insn::Out { size, port } };
                    let name = if input { "in" } else { "out" };
                    let id = format!("port,{name},size={size},bytes={bytes},offset={offset}");
                    let case = draft(id).program(&[insn, Insn::Nop]);
                    let case = case.set(Field::CR4, cr4::PAE | cr4::DE);
                    let case = case.step(Step::WriteDr(0, PORT.into()));
                    out.push(case.set(Field::DR7, enabled(0, ON_IO, length)).intercept(DB).done());
                }
            }
        }
    }
    // With DE clear there are none.
    for input in [false, true] {
        let port = PORT;
        let insn = if input { Insn::In { size: 2, port } } else { Insn::Out { size: 1, port } };
        both(out, |db| {
            let id = format!("port,de=off,in={}{db}", on(input));
            let case = draft(id).program(&[insn.clone(), Insn::Nop]);
            case.step(Step::WriteDr(2, PORT.into())).set(Field::DR7, enabled(2, ON_IO, 0))
        });
    }
    for intercepted in [false, true] {
        both(out, |db| {
            let id = format!("port,intercepted={}{db}", on(intercepted));
            let case = draft(id).program(&[Insn::Out { size: 1, port: PORT }, Insn::Nop]);
            let case = case.set(Field::CR4, cr4::PAE | cr4::DE).step(Step::WriteDr(1, PORT.into()));
            let case = case.set(Field::DR7, enabled(1, ON_IO, 0));
            let byte = u64::from(intercepted) << (PORT % 8);
            case.intercept(exit::IOIO).poke(world::IOPM + u64::from(PORT) / 8, byte)
        });
    }
}

/// Bits of DR6 that were set before, and several breakpoints at once.
fn status(out: &mut Cases) {
    let program = [Insn::Store(WATCHED), Insn::Nop, Insn::ReadDr(7, 0), Insn::Nop];
    for dr6 in [dr::DR6_ONES, dr::DR6_ONES | dr::DR6_B, dr::DR6_ONES | dr::DR6_BS | 6] {
        for (name, dr7, at) in [
            ("data", enabled(0, ON_ACCESS, 2), WATCHED),
            ("execution", enabled(0, 0, 0), crate::case::draft::rip(&program, 1)),
            ("detect", dr::DR7_ONES | dr::DR7_GD, 0),
        ] {
            both(out, |db| {
                let case = draft(format!("status,{name},dr6={dr6:#x}{db}")).program(&program);
                let case = case.step(Step::WriteDr(0, at)).set(Field::DR6, dr6);
                case.set(Field::DR7, dr7)
            });
        }
    }
    for mask in 1..16u64 {
        for execution in [false, true] {
            let at = if execution { crate::case::draft::rip(&program, 1) } else { WATCHED };
            let condition = if execution { 0 } else { ON_WRITE };
            let name = if execution { "execution" } else { "data" };
            let case = draft(format!("several,{name},{mask:#x}")).program(&program);
            let case = (0..4).fold(case, |c, n| c.step(Step::WriteDr(n, at)));
            let dr7 = (0..4u8)
                .filter(|n| mask >> n & 1 == 1)
                .fold(0, |dr7, n| dr7 | enabled(n, condition, 0));
            out.push(case.set(Field::DR7, dr7).intercept(DB).done());
        }
    }
}

/// Breakpoints that are met one behind the other, and by several operands of one instruction.
fn in_turn(out: &mut Cases) {
    let other = WATCHED + 0x40;
    for (name, first, second) in [("up", WATCHED, other), ("down", other, WATCHED)] {
        for (how, n, m) in [("01", 0u8, 1u8), ("10", 1, 0), ("32", 3, 2)] {
            let program = [Insn::Store(first), Insn::Nop, Insn::Store(second), Insn::Nop];
            let case = draft(format!("turn,{name},{how}")).program(&program);
            let case = case.step(Step::WriteDr(n, WATCHED)).step(Step::WriteDr(m, other));
            let dr7 = enabled(n, ON_WRITE, 0) | enabled(m, ON_WRITE, 0);
            let second = case.rip(2);
            let case = case.set(Field::DR7, dr7).intercept(DB).run().set(Field::RIP, second - 10);
            out.push(case.run().case());
        }
    }
    let program = [Insn::Sidt, Insn::Nop];
    for (n, m) in [(0u8, 1u8), (1, 0), (2, 3)] {
        let case = draft(format!("turn,operand,{n}{m}")).program(&program);
        let case = case.step(Step::WriteDr(n, world::SCRATCH));
        let case = case.step(Step::WriteDr(m, world::SCRATCH + 6));
        let dr7 = enabled(n, ON_WRITE, 0) | enabled(m, ON_WRITE, 0);
        out.push(case.set(Field::DR7, dr7).intercept(DB).done());
    }
    // Two pushes of one delivery.
    for (n, m) in [(0u8, 1u8), (1, 0)] {
        let case = draft(format!("turn,frame,{n}{m}")).program(&[Insn::Ud2]);
        let case = case.step(Step::WriteDr(n, world::L2_STACK - 8));
        let case = case.step(Step::WriteDr(m, world::L2_STACK - 40));
        let dr7 = enabled(n, ON_WRITE, 0) | enabled(m, ON_WRITE, 0);
        out.push(case.set(Field::DR7, dr7).intercept(DB).done());
    }
}

/// A trap for data, and what else there is at the same boundary.
fn beside_steps(out: &mut Cases) {
    let watched = |id: &str, program: &[Insn]| {
        let case = draft(format!("beside,{id}")).program(program);
        case.step(Step::WriteDr(0, WATCHED)).set(Field::DR7, enabled(0, ON_WRITE, 2))
    };
    let store = [Insn::Store(WATCHED), Insn::Nop, Insn::Nop];
    let at = crate::case::draft::rip(&store, 0);
    both(out, |db| {
        watched(&format!("step{db}"), &store).set(Field::RFLAGS, TF).set(Field::RIP, at)
    });
    both(out, |db| watched(&format!("sti{db}"), &[Insn::Sti, Insn::Store(WATCHED), Insn::Nop]));
    for rf in [0, flag::RF] {
        both(out, |db| {
            let id = format!("rf={}{db}", on(rf != 0));
            watched(&id, &store).set(Field::RFLAGS, flag::FIXED | rf).set(Field::RIP, at)
        });
    }
    // The interrupt comes behind the trap.
    for intercepted in [false, true] {
        let id = format!("virq,db={}", on(intercepted));
        let case = watched(&id, &[Insn::Sti, Insn::Store(WATCHED), Insn::Nop, Insn::Nop]);
        let case = case.set(Field::INT_CTL, int_ctl::V_IRQ | int_ctl::V_IGN_TPR);
        let case = case.set(Field::INT_VECTOR, 0x60).set(Field::RIP, world::L2_CODE);
        out.push(if intercepted { case.intercept(DB).done() } else { case.done() });
    }
    // It comes before the intercept of the instruction behind, and before that one's faults.
    for (name, insn, code) in [
        ("cpuid", Insn::Cpuid, exit::CPUID),
        ("rdmsr", Insn::Rdmsr(msr::EFER), exit::MSR),
        ("ud", Insn::Ud2, exit::EXCP + 6),
        ("hlt", Insn::Hlt, exit::HLT),
    ] {
        let program = [Insn::Store(WATCHED), insn, Insn::Nop];
        let case = watched(&format!("intercept,{name}"), &program).intercept(DB);
        out.push(case.intercept(code).done());
        let case = watched(&format!("intercept,{name},step"), &program).intercept(DB);
        let case = case.set(Field::RFLAGS, TF).set(Field::RIP, at);
        out.push(case.intercept(code).done());
    }
    // An instruction that faults has no trap.
    let fault = [Insn::Store(WATCHED), Insn::Nop];
    both(out, |db| {
        let entry = world::l2pt::PT + 8;
        watched(&format!("fault{db}"), &fault).poke(entry, 0)
    });
}

/// Breakpoints of L1's own, with GIF set and clear.
fn in_l1(out: &mut Cases) {
    for gif in [false, true] {
        for n in 0..4u8 {
            let rows = [
                ("store", WATCHED, ON_WRITE, Insn::Store(WATCHED)),
                ("load", WATCHED, ON_ACCESS, Insn::Load(0, WATCHED)),
                ("load-on-write", WATCHED, ON_WRITE, Insn::Load(0, WATCHED)),
                ("out", PORT.into(), ON_IO, Insn::Out { size: 1, port: PORT }),
            ];
            for (name, at, condition, insn) in rows {
                let case = draft(format!("l1,{name},dr{n},gif={}", on(gif)));
                let case = case.step(Step::WriteCr(4, world::L1_CR4 | cr4::DE));
                let case = case.step(Step::WriteDr(6, dr::DR6_ONES)).step(Step::WriteDr(n, at));
                let case = case.step(Step::WriteDr(7, enabled(n, condition, 0)));
                let case = if gif { case.stgi() } else { case.clgi() };
                let case = case.l1(insn, 0).step(Step::WriteDr(7, dr::DR7_ONES));
                out.push(case.step(Step::ReadDr(6)).case());
            }
        }
    }
}

/// GIF that L2 itself has cleared, and set again.
fn gif_clear(out: &mut Cases) {
    for stgi in [false, true] {
        let then = if stgi { Insn::Stgi } else { Insn::Nop };
        let io = Insn::Out { size: 1, port: PORT };
        let program = |insn: &Insn| [Insn::Clgi, then.clone(), insn.clone(), Insn::Nop];
        for n in 0..4u8 {
            let nop = program(&Insn::Nop);
            let rows = [
                ("execution", crate::case::draft::rip(&nop, 2), 0, Insn::Nop),
                ("store", WATCHED, ON_WRITE, Insn::Store(WATCHED)),
                ("load", WATCHED, ON_ACCESS, Insn::Load(0, WATCHED)),
                ("out", PORT.into(), ON_IO, io.clone()),
            ];
            for (name, at, condition, insn) in rows {
                both(out, |db| {
                    let case = draft(format!("gif,{name},dr{n},stgi={}{db}", on(stgi)));
                    let case = case.program(&program(&insn)).step(Step::WriteDr(n, at));
                    let case = case.set(Field::CR4, cr4::PAE | cr4::DE);
                    case.set(Field::DR7, enabled(n, condition, 0))
                });
            }
        }
        both(out, |db| {
            let case = draft(format!("gif,detect,stgi={}{db}", on(stgi)));
            let case = case.program(&program(&Insn::ReadDr(0, 0)));
            case.set(Field::DR7, dr::DR7_ONES | dr::DR7_GD)
        });
        both(out, |db| {
            let case = draft(format!("gif,step,stgi={}{db}", on(stgi)));
            let case = case.program(&program(&Insn::Nop)).set(Field::RFLAGS, TF);
            case.set(Field::RIP, world::L2_CODE + if stgi { 3 } else { 0 })
        });
    }
}

/// TF with DebugCtl.BTF: what transfers control, and what does not.
fn branches(out: &mut Cases) {
    let target = world::L2_CODE + 0x80;
    let rows: &[(&str, &[Insn])] = &[
        ("jump", &[Insn::Nop, Insn::Jump(target)]),
        ("jump-first", &[Insn::Jump(target)]),
        ("none", &[Insn::Nop, Insn::Mov(1, 0), Insn::Nop]),
        ("cpuid", &[Insn::Cpuid]),
        ("pause", &[Insn::Pause, Insn::Nop]),
        ("sti", &[Insn::Sti, Insn::Nop]),
        ("store", &[Insn::Store(WATCHED)]),
        ("out", &[Insn::Out { size: 1, port: PORT }]),
    ];
    let left = |case: Draft| {
        case.run().step(Step::Rdmsr(msr::DEBUGCTL)).step(Step::Wrmsr(msr::DEBUGCTL, 0)).case()
    };
    for (name, program) in rows {
        for tf in [0, flag::TF] {
            for bits in [0, debugctl::BTF] {
                for intercepted in [false, true] {
                    let id = format!(
                        "branch,{name},tf={},btf={},db={}",
                        on(tf != 0),
                        on(bits != 0),
                        on(intercepted)
                    );
                    let case = draft(id).program(program).program(&vec![Insn::Nop; 0x80]);
                    let case = case.step(Step::Wrmsr(msr::DEBUGCTL, bits));
                    let case = case.set(Field::RFLAGS, flag::FIXED | tf);
                    out.push(left(if intercepted { case.intercept(DB) } else { case }));
                }
            }
        }
    }
    // Any #DB ends it, whatever it is for.
    let program = [Insn::Nop, Insn::Store(WATCHED), Insn::ReadDr(0, 0), Insn::Nop];
    for (name, dr7, at) in [
        ("execution", enabled(0, 0, 0), world::L2_CODE),
        ("data", enabled(0, ON_WRITE, 0), WATCHED),
        ("detect", dr::DR7_ONES | dr::DR7_GD, 0),
        ("nothing", dr::DR7_ONES, 0),
    ] {
        for intercepted in [false, true] {
            let case = draft(format!("branch-ended,{name},db={}", on(intercepted)));
            let case = case.program(&program).step(Step::Wrmsr(msr::DEBUGCTL, debugctl::BTF));
            let case = case.step(Step::WriteDr(0, at)).set(Field::DR7, dr7);
            out.push(left(if intercepted { case.intercept(DB) } else { case }));
        }
    }
}
