//! What counts, or happens once, against a fault in the same instruction: nothing of an
//! instruction or an event that does not get through has happened.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Intercepts;
use crate::arch::{cr0, debugctl, dr, event, exit, flag, int_ctl, int_state, msr, pte, virt_ext};
use crate::case::draft::{on, rip};
use crate::case::{Draft, Event, Insn, Step, world};
use crate::cases::{Cases, random::tells};
use crate::cpu::CpuFeature;
use crate::features::debug::trap_cases::enabled;
use crate::vmcb::Field;

/// The page that RBX points at, by number.
const PAGE: u64 = 0x30;
const AT: u64 = world::DATA + PAGE * 0x1000;
const OWN: u64 = world::l2pt::PT + PAGE * 8;
const NESTED: u64 = world::npt::PT + PAGE * 8;
const CODE: u64 = world::L2_CODE >> 21;
/// A leaf for [`PAGE`], and one for the code.
const LEAF: u64 = AT | 0x67;
const CODE_LEAF: u64 = CODE << 21 | 0xe7;

type Change = fn(Draft) -> Draft;

/// A fault of the first instruction.
struct Fault {
    name: &'static str,
    insn: Insn,
    code: u64,
    arrange: Change,
    /// What L1 does so that the instruction gets through.
    mend: Change,
}

fn faults() -> Vec<Fault> {
    const PF: u64 = exit::EXCP + 14;
    let fault = |name, insn, code, arrange, mend| Fault { name, insn, code, arrange, mend };
    vec![
        fault("pf-store", Insn::Store(AT), PF, |d| d.poke(OWN, 0), |d| d.poke(OWN, LEAF)),
        fault("pf-load", Insn::Load(0, AT), PF, |d| d.poke(OWN, 0), |d| d.poke(OWN, LEAF)),
        fault(
            "npf-store",
            Insn::Store(AT),
            exit::NPF,
            |d| d.poke(NESTED, 0),
            |d| d.poke(NESTED, LEAF),
        ),
        fault(
            "npf-protected",
            Insn::LockNot(AT),
            exit::NPF,
            |d| d.poke(NESTED, LEAF & !2),
            |d| d.poke(NESTED, LEAF),
        ),
        fault(
            "pf-fetch",
            Insn::Nop,
            PF,
            |d| d.poke(world::l2pt::PD + CODE * 8, CODE_LEAF | pte::NX),
            |d| d.poke(world::l2pt::PD + CODE * 8, CODE_LEAF),
        ),
        fault(
            "npf-fetch",
            Insn::Nop,
            exit::NPF,
            |d| d.poke(world::npt::PD + CODE * 8, CODE_LEAF | pte::NX),
            |d| d.poke(world::npt::PD + CODE * 8, CODE_LEAF),
        ),
        fault("ud", Insn::Lock(Insn::Nop.into()), exit::EXCP + 6, |d| d, |d| d),
        fault(
            "gp",
            Insn::WriteCr(8, 0),
            exit::EXCP + 13,
            |d| d.set(Field::RAX, 16),
            |d| d.set(Field::RAX, 1),
        ),
        fault(
            "ss",
            Insn::Pushf,
            exit::EXCP + 12,
            |d| d.set(Field::RSP, 1 << 50),
            |d| d.set(Field::RSP, world::L2_STACK),
        ),
        fault(
            "db",
            Insn::Nop,
            exit::EXCP + 1,
            |d| d.step(Step::WriteDr(0, world::L2_CODE)).set(Field::DR7, enabled(0, 0, 0)),
            |d| d.set(Field::DR7, dr::DR7_ONES),
        ),
        // What is intercepted has not happened either.
        fault("cpuid", Insn::Cpuid, exit::CPUID, |d| d, |d| d.set(Field::INTERCEPT_MISC1, 1 << 31)),
        fault("pause", Insn::Pause, exit::PAUSE, |d| d, |d| d.set(Field::INTERCEPT_MISC1, 1 << 31)),
        fault(
            "cr",
            Insn::ReadCr(0, 0),
            exit::CR_READ,
            |d| d,
            |d| d.set(Field::INTERCEPT_CR_READ, 0),
        ),
        fault(
            "out",
            Insn::Out { size: 1, port: 0x80 },
            exit::IOIO,
            |d| d.step(Step::Mem { pa: world::IOPM + 0x10, width: 1, value: 1 }),
            |d| d.step(Step::Mem { pa: world::IOPM + 0x10, width: 1, value: 0 }),
        ),
        fault(
            "int",
            Insn::Int(0x40),
            exit::SWINT,
            |d| d,
            |d| d.set(Field::INTERCEPT_MISC1, 1 << 31),
        ),
        fault("icebp", Insn::Icebp, exit::ICEBP, |d| d, |d| d.set(Field::INTERCEPT_MISC2, 3)),
        fault("int3", Insn::Int3, exit::EXCP + 3, |d| d, |d| d.set(Field::INTERCEPT_EXCEPTIONS, 0)),
        fault(
            "gd",
            Insn::ReadDr(0, 0),
            exit::EXCP + 1,
            |d| d.set(Field::DR7, dr::DR7_ONES | dr::DR7_GD),
            |d| d,
        ),
    ]
}

/// What an instruction that gets through would use up.
const STATES: &[(&str, Change)] = &[
    ("shadow", |d| {
        d.set(Field::INT_STATE, int_state::SHADOW)
            .set(Field::RFLAGS, flag::FIXED | flag::IF)
            .set(Field::INT_CTL, int_ctl::V_IRQ | int_ctl::V_IGN_TPR)
            .set(Field::INT_VECTOR, 0x60)
    }),
    ("rf", |d| d.set(Field::RFLAGS, flag::FIXED | flag::RF)),
    ("tf", |d| d.set(Field::RFLAGS, flag::FIXED | flag::TF)),
    ("rf-tf", |d| d.set(Field::RFLAGS, flag::FIXED | flag::TF | flag::RF)),
    ("btf", |d| d.needs(LBRV).set_all(&[(Field::VIRT_EXT, 1), (Field::DBGCTL, debugctl::BTF)])),
    ("tf-btf", |d| {
        d.needs(LBRV)
            .set_all(&[(Field::VIRT_EXT, 1), (Field::DBGCTL, debugctl::BTF)])
            .set(Field::RFLAGS, flag::FIXED | flag::TF)
    }),
    ("lbr", |d| {
        d.needs(LBRV)
            .set_all(&[(Field::VIRT_EXT, virt_ext::LBR), (Field::DBGCTL, debugctl::LBR)])
            .set_all(&[(Field::BR_FROM, 0x1111), (Field::BR_TO, 0x2222)])
    }),
    ("clean", |d| d.set(Field::CLEAN, 0xffff_ffff)),
    ("pause", |d| d.needs(&[CpuFeature::PauseFilter]).set(Field::PAUSE_FILTER_COUNT, 1)),
    ("bus-lock", |d| {
        d.needs(&[CpuFeature::BusLockThreshold])
            .intercept(exit::BUSLOCK)
            .set(Field::BUS_LOCK_THRESHOLD, 3)
    }),
];
const LBRV: &[CpuFeature] = &[CpuFeature::Lbrv];

pub(crate) fn cases(out: &mut Cases) {
    for fault in faults() {
        for (state, change) in STATES {
            instruction(out, &fault, state, *change);
        }
    }
    bus_locks(out);
    pauses(out);
    branches(out);
    returns(out);
    events(out);
}

fn draft(id: &str) -> Draft {
    Draft::new(Intercepts, format!("undone-table/{id}"))
}

/// A fault that exits, after which L1 mends it and goes on; and one that L2 takes.
fn instruction(out: &mut Cases, fault: &Fault, state: &str, change: Change) {
    let program = [fault.insn.clone(), Insn::Nop, Insn::Nop];
    let nested = fault.code == exit::NPF;
    let exception = (exit::EXCP..exit::INTR).contains(&fault.code);
    for taken in [false, true] {
        if taken && !exception {
            continue;
        }
        let d = draft(&format!("{},{state},taken={}", fault.name, on(taken))).program(&program);
        let d = d.set(Field::RIP, rip(&program, 0));
        let d = if nested { d.needs(&[CpuFeature::Npt, CpuFeature::Nx]) } else { d };
        let d = (fault.arrange)(change(d));
        if taken {
            // Without what leaves open how L2 takes it.
            out.extend(Some(d.done()).filter(tells));
            continue;
        }
        let d = if nested { d } else { d.intercept(fault.code) };
        out.push((fault.mend)(d.run()).run().case());
    }
}

/// Locked accesses over two lines that fault, with what is left of the count.
fn bus_locks(out: &mut Cases) {
    const SPLIT: u64 = AT + 0x13c;
    type Row = (&'static str, u64, Change, Change);
    let rows: [Row; 6] = [
        ("pf", exit::EXCP + 14, |d| d.poke(OWN, 0), |d| d.poke(OWN, LEAF)),
        ("pf-protected", exit::EXCP + 14, |d| d.poke(OWN, LEAF & !2), |d| d.poke(OWN, LEAF)),
        ("npf", exit::NPF, |d| d.poke(NESTED, 0), |d| d.poke(NESTED, LEAF)),
        (
            "ac",
            exit::EXCP + 17,
            |d| {
                d.user()
                    .set(Field::CR0, world::L1_CR0 | cr0::AM)
                    .set(Field::RFLAGS, flag::FIXED | flag::AC)
            },
            |d| d.set(Field::RFLAGS, flag::FIXED),
        ),
        (
            "db",
            exit::EXCP + 1,
            |d| {
                let at = rip(&[Insn::LockNot(SPLIT)], 0);
                d.step(Step::WriteDr(0, at)).set(Field::DR7, enabled(0, 0, 0))
            },
            |d| d.set(Field::DR7, dr::DR7_ONES),
        ),
        (
            "trap",
            exit::EXCP + 1,
            |d| d.step(Step::WriteDr(0, SPLIT + 4)).set(Field::DR7, enabled(0, 1, 0)),
            |d| d,
        ),
    ];
    for (name, code, arrange, mend) in rows {
        for count in [0u64, 1, 2] {
            for insn in [Insn::LockNot(SPLIT), Insn::Xchg(SPLIT)] {
                let kind = if matches!(insn, Insn::Xchg(_)) { "xchg" } else { "lock" };
                let d = draft(&format!("bus-lock,{name},{kind},count={count}"));
                let d = d.program(&[insn, Insn::Nop]);
                let d = d.needs(&[CpuFeature::BusLockThreshold, CpuFeature::Npt]);
                let d = d.intercept(exit::BUSLOCK).set(Field::BUS_LOCK_THRESHOLD, count);
                let d = arrange(d);
                let d = if code == exit::NPF { d } else { d.intercept(code) };
                // From the start, since L1 has put RBX back.
                let d = mend(d.run()).set(Field::RIP, world::L2_CODE);
                out.push(d.run().peek(SPLIT).case());
            }
        }
    }
}

/// A PAUSE that faults is none that the filter counts: the handler of the fault goes on
/// with the next.
fn pauses(out: &mut Cases) {
    let gate = |vector: u64, to: u64| {
        let word = world::initial_word(world::L2_IDT + 16 * vector);
        let word = word & !(0xffff | 0xffff << 48) | to & 0xffff | (to >> 16 & 0xffff) << 48;
        (world::L2_IDT + 16 * vector, word)
    };
    for count in [0u64, 1, 2, 3] {
        for (name, vector) in [("nothing", 1), ("db", 1), ("ud", 6)] {
            let first = match name {
                "ud" => Insn::Lock(Insn::Pause.into()),
                _ => Insn::Pause,
            };
            let program = [first, Insn::Pause, Insn::Pause, Insn::Pause];
            let (at, word) = gate(vector, rip(&program, 1));
            let d = draft(&format!("pause,{name},count={count}")).program(&program);
            let d = d.needs(&[CpuFeature::PauseFilter]).poke(at, word);
            let d = d.intercept(exit::PAUSE).set(Field::PAUSE_FILTER_COUNT, count);
            let d = match name {
                "db" => d.step(Step::WriteDr(0, world::L2_CODE)).set(Field::DR7, enabled(0, 0, 0)),
                _ => d,
            };
            out.push(d.done());
        }
    }
}

/// A branch that faults is none: neither recorded, nor stepped.
fn branches(out: &mut Cases) {
    let rows: [(&str, u64, u64, Change); 3] = [
        ("gp", 1 << 50, exit::EXCP + 13, |d| d),
        ("pf", AT, exit::EXCP + 14, |d| d.poke(OWN, 0)),
        ("npf", AT, exit::NPF, |d| d.poke(NESTED, 0)),
    ];
    for (name, target, code, arrange) in rows {
        for bits in [debugctl::LBR, debugctl::BTF, debugctl::LBR | debugctl::BTF] {
            for tf in [0, flag::TF] {
                let program = [Insn::Jump(target)];
                let d = draft(&format!("branch,{name},debugctl={bits:#x},tf={}", on(tf != 0)));
                let d = d.program(&program).needs(&[CpuFeature::Lbrv, CpuFeature::Npt]);
                let d = d.set(Field::RIP, rip(&program, 0) - 10).set(Field::VIRT_EXT, 1);
                let d = d.set_all(&[(Field::DBGCTL, bits), (Field::BR_FROM, 0x1111)]);
                let d = d.set(Field::RFLAGS, flag::FIXED | tf).intercept(exit::EXCP + 1);
                let d = arrange(if code == exit::NPF { d } else { d.intercept(code) });
                out.push(d.run().step(Step::Rdmsr(msr::DEBUGCTL)).case());
            }
        }
    }
}

/// An IRET that does not complete does not unmask virtual NMIs (15.21.10).
fn returns(out: &mut Cases) {
    let rows: [(&str, u64, Change); 4] = [
        ("ss", exit::EXCP + 12, |d| d.set(Field::RSP, 1 << 50)),
        ("pf", exit::EXCP + 14, |d| d.set(Field::RSP, AT).poke(OWN, 0)),
        ("npf", exit::NPF, |d| d.set(Field::RSP, AT).poke(NESTED, 0)),
        ("intercepted", exit::IRET, |d| d),
    ];
    for (name, code, arrange) in rows {
        for pending in [0, int_ctl::V_NMI] {
            let d = draft(&format!("iret,{name},v-nmi={}", on(pending != 0)));
            let d = d.program(&[Insn::Iret]).needs(&[CpuFeature::Vnmi, CpuFeature::Npt]);
            let d = d.intercept(exit::NMI);
            let masked = int_ctl::V_NMI_ENABLE | int_ctl::V_NMI_MASK;
            let d = d.set(Field::INT_CTL, masked | pending);
            let d = arrange(if code == exit::NPF { d } else { d.intercept(code) });
            out.push(d.done());
        }
    }
}

/// Events whose delivery fails: they are in EXITINTINFO, and nowhere else; injected again,
/// they come once.
fn events(out: &mut Cases) {
    const IDT: u64 = AT;
    const NOWHERE: u64 = AT + 0x800;
    let events: [(&str, Change, u64); 6] = [
        (
            "virq",
            |d| {
                d.set(Field::INT_CTL, int_ctl::V_IRQ | int_ctl::V_IGN_TPR)
                    .set(Field::INT_VECTOR, 0x60)
            },
            event::V | 0x60,
        ),
        (
            "vnmi",
            |d| {
                d.needs(&[CpuFeature::Vnmi])
                    .intercept(exit::NMI)
                    .set(Field::INT_CTL, int_ctl::V_NMI | int_ctl::V_NMI_ENABLE)
            },
            event::V | event::NMI | 2,
        ),
        ("intr", |d| d.clgi().raise(Event::Intr(0x61)), event::V | 0x61),
        ("injected", |d| d.set(Field::EVENTINJ, event::V | 0x62), event::V | 0x62),
        (
            "injected-nmi",
            |d| d.set(Field::EVENTINJ, event::V | event::NMI | 2),
            event::V | event::NMI | 2,
        ),
        (
            "injected-fault",
            |d| d.set(Field::EVENTINJ, event::V | event::EXCEPTION | 6),
            event::V | event::EXCEPTION | 6,
        ),
    ];
    let failures: [(&str, Change); 5] = [
        ("idt-npf", |d| d.set(Field::IDTR_BASE, IDT).poke(NESTED, 0)),
        ("idt-pf", |d| d.set(Field::IDTR_BASE, IDT).poke(OWN, 0).intercept(exit::EXCP + 14)),
        ("stack-npf", |d| d.set(Field::RSP, NOWHERE).poke(NESTED, 0)),
        ("stack-pf", |d| d.set(Field::RSP, NOWHERE).poke(OWN, 0).intercept(exit::EXCP + 14)),
        ("idt-gp", |d| d.set(Field::IDTR_LIMIT, 0).intercept(exit::EXCP + 13)),
    ];
    for (name, pend, again) in events {
        for (how, fail) in failures {
            let d = draft(&format!("event,{name},{how}")).program(&[Insn::Nop, Insn::Nop]);
            let d = d.needs(&[CpuFeature::Npt]).set(Field::RFLAGS, flag::FIXED | flag::IF);
            let d = fail(pend(d)).run();
            let d = d.poke(NESTED, LEAF).poke(OWN, LEAF).set(Field::IDTR_BASE, world::L2_IDT);
            let d = d.set(Field::IDTR_LIMIT, 0xfff).set(Field::RSP, world::L2_STACK);
            let d = d.set(Field::EVENTINJ, again).run();
            out.push(d.stgi().step(Step::Window).case());
        }
    }
}
