//! Breakpoints, single steps and RF: what traps, when, and what is pushed.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::{Debug, Lbrv};
use crate::arch::{cr4, debugctl::BTF, dr, event, flag, int_ctl, int_state, msr, virt_ext};
use crate::case::listing::{JZ_TO_NEXT, raw};
use crate::case::written::fault;
use crate::case::{About, Draft, Event, Insn, Step, world};
use crate::cpu::CpuFeature;
use crate::outcome::Obs;
use crate::rules as r;
use crate::rules::RuleId;
use crate::vmcb::{Field, exit};

const IF: u64 = flag::FIXED | flag::IF;
const DB: u64 = exit::EXCP + 1;

/// What breakpoint 0 watches, and DR7 for it.
const WATCHED: u64 = world::DATA + 0x1000;
const PORT: u16 = 0x80;
const ON_EXECUTION: u64 = dr::DR7_ONES | 2;
const ON_WRITE: u64 = 0x9_0000 | ON_EXECUTION;
const ON_ACCESS: u64 = 0xb_0000 | ON_EXECUTION;
const ON_IO: u64 = 0x2_0000 | ON_EXECUTION;

/// Where RFLAGS are in the frame of an event at the same privilege, in 64-bit mode.
const PUSHED: u64 = world::L2_STACK - 24;

fn draft(id: impl AsRef<str>, about: impl Into<About>) -> Draft {
    Draft::new(Debug, format!("breakpoints/{}", id.as_ref())).about(about)
}

pub(crate) fn cases() -> Vec<Draft> {
    [in_l1(), in_l2(), branches(), pushed(), hlt(), status(), io()].concat()
}

/// Table 15-10, its first two rows, in L1; and the same with GIF set.
fn in_l1() -> Vec<Draft> {
    let out = Insn::Out { size: 1, port: PORT };
    let rows = [
        ("write", WATCHED, ON_WRITE, Insn::Store(WATCHED)),
        ("access", WATCHED, ON_ACCESS, Insn::Load(0, WATCHED)),
        ("io", PORT.into(), ON_IO, out),
    ];
    let mut cases = Vec::new();
    for (name, at, dr7, insn) in rows {
        for gif in [false, true] {
            let met =
                if name == "io" { r::debug::IO_BREAKPOINT } else { r::debug::DATA_BREAKPOINT };
            let about = if gif { met } else { r::vgif::DISCARDS_BREAKPOINTS };
            let d = draft(format!("l1,{name},gif={}", u8::from(gif)), about)
                .step(Step::WriteCr(4, world::L1_CR4 | cr4::DE))
                .step(Step::WriteDr(6, dr::DR6_ONES))
                .step(Step::WriteDr(0, at))
                .step(Step::WriteDr(7, dr7))
                .l1(if gif { Insn::Stgi } else { Insn::Clgi }, 0)
                .l1(insn.clone(), 0);
            let d = if gif { d.shows(fault(1)) } else { d };
            let dr6 = if gif { dr::DR6_ONES | dr::DR6_B0 } else { dr::DR6_ONES };
            cases.push(
                d.step(Step::WriteDr(7, dr::DR7_ONES)).step(Step::ReadDr(6)).shows(Obs::Value(dr6)),
            );
        }
    }
    cases
}

/// L2's own CLGI, which nobody intercepts, does the same.
fn in_l2() -> Vec<Draft> {
    let rows = [
        ("execution", world::L2_CODE + 4, ON_EXECUTION, Insn::Nop),
        ("write", WATCHED, ON_WRITE, Insn::Store(WATCHED)),
    ];
    let mut cases: Vec<Draft> = rows
        .map(|(name, at, dr7, insn)| {
            draft(format!("l2,{name},gif=0"), r::vgif::DISCARDS_BREAKPOINTS)
                .program(&[Insn::Clgi, Insn::Nop, insn, Insn::Nop])
                .step(Step::WriteDr(0, at))
                .set(Field::DR7, dr7)
                .run()
                .ends()
                .field(Field::DR6, dr::DR6_ONES)
        })
        .into();
    // The trap of TF is none of them.
    cases.push(
        draft("l2,tf,gif=0", r::debug::TF_TRAP)
            .program(&[Insn::Clgi, Insn::Nop])
            .set(Field::RFLAGS, flag::TF | flag::FIXED)
            .run()
            .takes(1, 0, world::L2_CODE + 3)
            .field(Field::DR6, dr::DR6_ONES | dr::DR6_BS),
    );
    cases
}

/// DebugCtl.BTF: TF traps behind what transfers control.
fn branches() -> Vec<Draft> {
    const TARGET: u64 = world::L2_CODE + 0x80;
    let stepped = |id: &str, program: &[Insn]| {
        draft(format!("btf,{id}"), r::debug::BTF)
            .program(program)
            .step(Step::Wrmsr(msr::DEBUGCTL, BTF))
            .set(Field::RFLAGS, flag::TF | flag::FIXED)
    };
    let left = |d: Draft, value: u64| {
        d.step(Step::Rdmsr(msr::DEBUGCTL))
            .shows(Obs::Value(value))
            .step(Step::Wrmsr(msr::DEBUGCTL, 0))
    };
    let jump = [Insn::Nop, Insn::Jump(TARGET), Insn::Nop];
    let conditional = [Insn::Nop, raw(JZ_TO_NEXT), Insn::Nop];
    let stays = |id: &str, program: &[Insn]| left(stepped(id, program).run().ends(), BTF);
    vec![
        left(
            stepped("jump", &jump)
                .run()
                .takes(1, 0, TARGET)
                .field(Field::DR6, dr::DR6_ONES | dr::DR6_BS),
            0,
        ),
        left(
            stepped("jump,intercepted", &jump)
                .intercept(DB)
                .run()
                .exits(DB)
                .field(Field::RIP, TARGET)
                .field(Field::DR6, dr::DR6_ONES | dr::DR6_BS),
            0,
        ),
        stays("no-branch", &[Insn::Nop, Insn::Mov(1, 0), Insn::Cpuid]),
        stays("pause", &[Insn::Pause, Insn::Nop]),
        stays("shadow", &[Insn::Sti, Insn::Nop]),
        stays("not-taken", &conditional),
        left(
            stepped("taken", &conditional)
                .set(Field::RFLAGS, flag::TF | flag::ZF | flag::FIXED)
                .run()
                .takes(1, 0, world::L2_CODE + 3),
            0,
        ),
        // Any #DB ends it.
        left(
            draft("btf,breakpoint", r::debug::BTF_CLEARED)
                .program(&[Insn::Nop, Insn::Nop])
                .step(Step::Wrmsr(msr::DEBUGCTL, BTF))
                .step(Step::WriteDr(0, world::L2_CODE + 1))
                .set(Field::DR7, ON_EXECUTION)
                .run()
                .takes(1, 0, world::L2_CODE + 1),
            0,
        ),
        Draft::new(Lbrv, "breakpoints/btf,virtualized")
            .about([r::debug::BTF, r::debug::BTF_CLEARED, r::lbrv::LOAD])
            .needs(&[CpuFeature::Lbrv])
            .program(&jump)
            .set(Field::VIRT_EXT, virt_ext::LBR)
            .set(Field::DBGCTL, BTF)
            .set(Field::RFLAGS, flag::TF | flag::FIXED)
            .run()
            .takes(1, 0, TARGET)
            .field(Field::DBGCTL, 0),
    ]
}

/// RF in the RFLAGS that an event pushes (3.1.6).
fn pushed() -> Vec<Draft> {
    const PENDING: u64 = int_ctl::V_IRQ | int_ctl::V_IGN_TPR;
    use r::debug::{RF_DEBUG, RF_FAULT, RF_INTERRUPT, RF_SOFTWARE};
    let rf = |id: &str, about: RuleId, program: &[Insn]| {
        draft(format!("rf,{id}"), about).program(program)
    };
    let nops = [Insn::Nop, Insn::Nop];
    let inject = |id: &str, kind: u64, vector: u64| {
        let about = if kind == event::EXCEPTION { RF_FAULT } else { RF_INTERRUPT };
        rf(id, about, &nops).set(Field::EVENTINJ, event::V | kind | vector)
    };
    vec![
        rf("interrupt", RF_INTERRUPT, &nops)
            .set(Field::RFLAGS, IF)
            .clgi()
            .raise(Event::Intr(0x61))
            .run()
            .takes(0x61, 0, world::L2_CODE)
            .peek(PUSHED)
            .value(IF),
        rf("nmi", RF_INTERRUPT, &nops)
            .clgi()
            .raise(Event::Nmi)
            .run()
            .takes(2, 0, world::L2_CODE)
            .peek(PUSHED)
            .value(flag::FIXED),
        rf("virtual-interrupt", RF_INTERRUPT, &nops)
            .set(Field::RFLAGS, IF)
            .set(Field::INT_CTL, PENDING)
            .set(Field::INT_VECTOR, 0x50)
            .run()
            .takes(0x50, 0, world::L2_CODE)
            .peek(PUSHED)
            .value(IF),
        inject("injected-interrupt", event::INTR, 0x61)
            .run()
            .takes(0x61, 0, world::L2_CODE)
            .peek(PUSHED)
            .value(flag::FIXED),
        inject("injected-nmi", event::NMI, 2)
            .run()
            .takes(2, 0, world::L2_CODE)
            .peek(PUSHED)
            .value(flag::FIXED),
        inject("injected-fault", event::EXCEPTION, 6)
            .run()
            .takes(6, 0, world::L2_CODE)
            .peek(PUSHED)
            .value(flag::RF | flag::FIXED),
        rf("fault", RF_FAULT, &[Insn::Ud2])
            .run()
            .takes(6, 0, world::L2_CODE)
            .peek(PUSHED)
            .value(flag::RF | flag::FIXED),
        rf("fault-with-error", RF_FAULT, &[Insn::WriteCr(8, 0)])
            .user()
            .run()
            .takes(13, 0, world::L2_CODE)
            .peek(PUSHED)
            .value(flag::RF | flag::FIXED),
        rf("int-n", RF_SOFTWARE, &[Insn::Int(0x61)])
            .set(Field::RFLAGS, flag::RF | flag::FIXED)
            .run()
            .takes(0x61, 0, world::L2_CODE + 2)
            .peek(PUSHED)
            .value(flag::FIXED),
        rf("int3", RF_SOFTWARE, &[Insn::Int3])
            .set(Field::RFLAGS, flag::RF | flag::FIXED)
            .run()
            .takes(3, 0, world::L2_CODE + 1)
            .peek(PUSHED)
            .value(flag::FIXED),
        rf("trap", RF_DEBUG, &nops)
            .set(Field::RFLAGS, flag::TF | flag::FIXED)
            .run()
            .takes(1, 0, world::L2_CODE + 1)
            .peek(PUSHED)
            .value(flag::TF | flag::FIXED),
        rf("execution-breakpoint", RF_DEBUG, &nops)
            .step(Step::WriteDr(0, world::L2_CODE + 1))
            .set(Field::DR7, ON_EXECUTION)
            .run()
            .takes(1, 0, world::L2_CODE + 1)
            .peek(PUSHED)
            .value(flag::FIXED),
    ]
}

/// Behind the instruction that meets an I/O breakpoint, all of it has happened.
fn io() -> Vec<Draft> {
    const BEHIND: u64 = world::L2_CODE + 2;
    let out = |id: &str| {
        draft(format!("io,{id}"), r::debug::IO_BREAKPOINT)
            .program(&[Insn::Out { size: 1, port: PORT }, Insn::Nop])
            .set(Field::CR4, cr4::PAE | cr4::DE)
            .step(Step::WriteDr(0, PORT.into()))
            .set(Field::DR7, ON_IO)
            .intercept(DB)
    };
    let exits = |d: Draft, bits: u64| {
        d.run().exits(DB).field(Field::RIP, BEHIND).field(Field::DR6, dr::DR6_ONES | bits)
    };
    vec![
        exits(out("rf").set(Field::RFLAGS, flag::RF | flag::FIXED), dr::DR6_B0)
            .field(Field::RFLAGS, flag::FIXED),
        exits(out("shadow").set(Field::INT_STATE, int_state::SHADOW), dr::DR6_B0)
            .field(Field::INT_STATE, 0),
        exits(out("step").set(Field::RFLAGS, flag::TF | flag::FIXED), dr::DR6_B0 | dr::DR6_BS),
        // Of the address, LEN leaves out the low bits: four ports.
        exits(
            out("low-bits")
                .step(Step::WriteDr(0, u64::from(PORT) + 1))
                .set(Field::DR7, ON_IO | 0xc_0000),
            dr::DR6_B0,
        ),
        out("no-extensions")
            .about(r::debug::IO_NEEDS_DE)
            .set(Field::CR4, cr4::PAE)
            .run()
            .ends()
            .field(Field::DR6, dr::DR6_ONES),
    ]
}

/// Bits 3:0 of DR6: set for what is met, and clear for what is not (13.1.1.3).
fn status() -> Vec<Draft> {
    const OTHER: u64 = 2 << 2;
    let store = [Insn::Store(WATCHED), Insn::Nop];
    let exits = |d: Draft, bits: u64| {
        d.intercept(DB).run().exits(DB).field(Field::DR6, dr::DR6_ONES | bits)
    };
    let updated = |id: &str| draft(format!("dr6,{id}"), r::debug::DR6_UPDATED);
    let met = |id: &str| draft(format!("dr6,{id}"), r::debug::DATA_BREAKPOINT).program(&store);
    vec![
        // Breakpoint 1 is at the same place, and not enabled.
        exits(
            draft("dr6,enabled-alone", r::debug::EXEC_BREAKPOINT)
                .program(&[Insn::Nop, Insn::Nop])
                .step(Step::WriteDr(0, world::L2_CODE + 1))
                .step(Step::WriteDr(1, world::L2_CODE + 1))
                .set(Field::DR7, ON_EXECUTION),
            dr::DR6_B0,
        ),
        exits(
            updated("general-detect")
                .program(&[Insn::ReadDr(0, 0)])
                .set(Field::DR6, dr::DR6_ONES | dr::DR6_B)
                .set(Field::DR7, dr::DR7_ONES | dr::DR7_GD),
            dr::DR6_BD,
        ),
        exits(
            updated("breakpoint")
                .program(&store)
                .step(Step::WriteDr(0, WATCHED))
                .set(Field::DR6, dr::DR6_ONES | dr::DR6_B)
                .set(Field::DR7, ON_WRITE),
            dr::DR6_B0,
        ),
        exits(
            met("two-at-one-place")
                .step(Step::WriteDr(0, WATCHED))
                .step(Step::WriteDr(1, WATCHED))
                .set(Field::DR7, ON_WRITE | OTHER | 1 << 20),
            3,
        ),
        // Whatever a #DB is for, its handler can use the debug registers.
        exits(
            draft("dr7,detect-cleared", r::intercepts::EXCP_DB_DR7)
                .program(&store)
                .step(Step::WriteDr(0, WATCHED))
                .set(Field::DR7, ON_WRITE | dr::DR7_GD),
            dr::DR6_B0,
        )
        .field(Field::DR7, ON_WRITE),
        draft("dr7,detect-cleared,taken", r::debug::TF_TRAP)
            .program(&[Insn::Nop, Insn::Nop])
            .set(Field::RFLAGS, flag::TF | flag::FIXED)
            .set(Field::DR7, dr::DR7_ONES | dr::DR7_GD)
            .run()
            .takes(1, 0, world::L2_CODE + 1)
            .field(Field::DR7, dr::DR7_ONES),
        draft("dr7,detect-cleared,int1", r::debug::ICEBP_DB)
            .program(&[Insn::Icebp])
            .set(Field::DR7, dr::DR7_ONES | dr::DR7_GD)
            .run()
            .takes(1, 0, world::L2_CODE + 1)
            .field(Field::DR7, dr::DR7_ONES),
        draft("dr7,detect-cleared,injected", r::event_injection::DELIVERED)
            .program(&[Insn::Nop])
            .set(Field::EVENTINJ, event::V | event::EXCEPTION | 1)
            .set(Field::DR7, dr::DR7_ONES | dr::DR7_GD)
            .run()
            .takes(1, 0, world::L2_CODE)
            .field(Field::DR7, dr::DR7_ONES),
        // LEN of 4 bytes masks the low bits of the address.
        exits(
            met("low-bits")
                .about(r::debug::LENGTH)
                .step(Step::WriteDr(0, WATCHED + 0xb))
                .set(Field::DR7, ON_WRITE | 0xc_0000)
                .program(&[Insn::Store(WATCHED + 1), Insn::Nop]),
            dr::DR6_B0,
        ),
        // The second one alone, with the first met before.
        exits(
            draft("dr6,one-after-the-other", r::debug::DATA_BREAKPOINT)
                .program(&[Insn::Store(WATCHED), Insn::Nop, Insn::Store(WATCHED + 8), Insn::Nop])
                .step(Step::WriteDr(0, WATCHED))
                .step(Step::WriteDr(1, WATCHED + 8))
                .set(Field::DR7, ON_WRITE | OTHER | 1 << 20)
                .intercept(DB)
                .run()
                .exits(DB)
                .field(Field::DR6, dr::DR6_ONES | dr::DR6_B0),
            2,
        ),
    ]
}

/// The single step of HLT is there when HLT ends, and is a #DB like another.
fn hlt() -> Vec<Draft> {
    let behind = world::L2_CODE + 1;
    let halted = |id: &str| {
        draft(format!("hlt,{id}"), [r::debug::TF_TRAP, r::virq::HLT_WAKES])
            .program(&[Insn::Hlt, Insn::Nop])
            .set(Field::INT_STATE, int_state::SHADOW)
            .set(Field::RFLAGS, IF | flag::TF)
            .clgi()
            .raise(Event::Intr(0x61))
    };
    let pending = |d: Draft| d.stgi().step(Step::Window).shows(Obs::L1Interrupt(0x61));
    vec![
        pending(
            halted("step-intercepted")
                .intercept(DB)
                .run()
                .exits(DB)
                .field(Field::RIP, behind)
                .field(Field::RFLAGS, IF | flag::TF)
                .field(Field::DR6, dr::DR6_ONES | dr::DR6_BS),
        ),
        pending(
            halted("step-taken")
                .run()
                .takes(1, 0, behind)
                .field(Field::DR6, dr::DR6_ONES | dr::DR6_BS),
        ),
    ]
}
