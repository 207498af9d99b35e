//! Debug traps (APM vol. 2, 13.1): behind which instruction, or which iteration of one, they
//! come, and what is reported with them.
//!
//! L2 has a handler of #DB of its own, which writes each trap down and goes on.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Debug;
use crate::arch::{cr4, dr, flag};
use crate::case::code::cleared;
use crate::case::listing::{
    CLEAR_RAX, CMPSB, INSB, LODSB, MOV_RDI_AL, MOVSB, MOVSQ, OUT_DX, OUTSB, OUTSB_ONCE, OUTSW,
    SCASB, STEP, STOSB, STOSQ, joined, raw,
};
use crate::case::{About, Draft, Insn, Step, world};
use crate::vmcb::{Field, exit};

pub(crate) const DB: u64 = exit::EXCP + 1;
pub(crate) const TF: u64 = flag::FIXED | flag::TF;
/// What an iteration that is not the last pushes.
const RF: u64 = flag::FIXED | flag::RF;
const DR6: u64 = dr::DR6_ONES;
const B0: u64 = DR6 | dr::DR6_B0;
const B01: u64 = B0 | 2;
const BS: u64 = DR6 | dr::DR6_BS;
/// Breakpoints 0 and 1.
const PORT: u64 = 0x80;
const IO: u64 = 2;
const WRITE: u64 = 1;
const ACCESS: u64 = 3;

const HANDLER: u64 = world::DATA + 0x2000;
/// Where R15 points: four quadwords a trap.
const LOG: u64 = world::gpr(15);
const ENTRY: u64 = 32;
const SOURCE: u64 = world::gpr(6);
const TARGET: u64 = world::gpr(7);

/// MOV R14, `[RSP]`; MOV `[R15]`, R14; MOV `[R15+8]`, RCX; MOV R14, `[RSP+16]`;
/// MOV `[R15+16]`, R14; MOV R14, DR6; MOV `[R15+24]`, R14; ADD R15, 32; IRETQ.
const HANDLE: &[u8] = &[
    0x4c, 0x8b, 0x34, 0x24, 0x4d, 0x89, 0x37, 0x49, 0x89, 0x4f, 0x08, 0x4c, 0x8b, 0x74, 0x24, 0x10,
    0x4d, 0x89, 0x77, 0x10, 0x41, 0x0f, 0x21, 0xf6, 0x4d, 0x89, 0x77, 0x18, 0x49, 0x83, 0xc7, 0x20,
    0x48, 0xcf,
];

/// One trap: RIP and RFLAGS that were pushed, RCX, and DR6 where it is known.
pub(crate) struct Trap {
    rip: u64,
    rcx: Option<u64>,
    flags: Option<u64>,
    dr6: Option<u64>,
}

/// A trap in front of that instruction of the program.
pub(crate) fn trap(d: &Draft, at: usize) -> Trap {
    Trap { rip: d.rip(at), rcx: None, flags: None, dr6: None }
}

impl Trap {
    fn rcx(self, rcx: u64) -> Trap {
        Trap { rcx: Some(rcx), ..self }
    }

    fn flags(self, flags: u64) -> Trap {
        Trap { flags: Some(flags), ..self }
    }

    pub(crate) fn dr6(self, dr6: u64) -> Trap {
        Trap { dr6: Some(dr6), ..self }
    }
}

pub(crate) fn cases() -> Vec<Draft> {
    [stepped(), repeated(), ports(), incomplete()].concat()
}

/// A case of that program, with the handler.
pub(crate) fn draft(id: &str, program: &[Insn]) -> Draft {
    let gate = HANDLER & 0xffff | u64::from(world::L2_CS) << 16 | 0x8e << 40 | HANDLER >> 16 << 48;
    let new = Draft::new(Debug, format!("traps/{id}"))
        .about(About::Section("13.1"))
        .program(program)
        .poke(world::L2_IDT + 16, gate)
        .poke(world::L2_IDT + 24, 0);
    let new = cleared(cleared(new, LOG, 8 * ENTRY), TARGET, 0x28);
    (HANDLER..).step_by(8).zip(HANDLE.chunks(8)).fold(
        cleared(new, SOURCE, 0x28),
        |d, (at, code)| {
            let mut word = [0; 8];
            word[..code.len()].copy_from_slice(code);
            d.poke(at, u64::from_le_bytes(word))
        },
    )
}

/// Watches with breakpoint `n`.
pub(crate) fn watch(d: Draft, n: u8, at: u64, kind: u64, bytes: u64) -> Draft {
    let len = match bytes {
        8 => 2,
        bytes => bytes - 1,
    };
    d.step(Step::WriteDr(n, at))
        .also(Field::DR7, dr::DR7_ONES | 2 << (2 * n) | (kind | len << 2) << (16 + 4 * n))
}

/// L2 runs to its end, and meets these traps and no more.
pub(crate) fn meets(d: Draft, traps: &[Trap]) -> Draft {
    let d = d.run().ends();
    let d = traps.iter().zip(0..).fold(d, |d, (trap, n)| {
        let at = LOG + n * ENTRY;
        let fields = [Some(trap.rip), trap.rcx, trap.flags, trap.dr6];
        fields.iter().zip(0..).fold(d, |d, (field, n)| match field {
            Some(value) => d.peek(at + n * 8).value(*value),
            None => d,
        })
    });
    d.peek(LOG + traps.len() as u64 * ENTRY).value(0)
}

/// A data breakpoint traps behind its instruction, which one that faults never is (13.1.4).
fn incomplete() -> Vec<Draft> {
    const GP: u64 = exit::EXCP + 13;
    let new = |id: &str, target: u64| {
        let d = draft(&format!("incomplete,{id}"), &[Insn::Mov(7, target), raw(MOVSQ), Insn::Nop]);
        watch(d, 0, SOURCE, ACCESS, 8)
    };
    let whole = new("completes", TARGET);
    let hit = trap(&whole, 2).dr6(B0);
    let taken = new("taken", 1 << 50);
    let at = taken.rip(1);
    vec![
        meets(whole, &[hit]),
        taken.run().takes(13, 0, at).field(Field::DR6, DR6),
        new("intercepted", 1 << 50).intercept(GP).run().exits(GP).at(1).field(Field::DR6, DR6),
    ]
}

/// RFLAGS.TF over REP: a trap behind each iteration, and none beside.
fn stepped() -> Vec<Draft> {
    let program = |bytes: &[u8], count| [Insn::Mov(1, count), raw(STEP), raw(bytes), Insn::Nop];
    let mut cases: Vec<Draft> = [(0, "none"), (1, "one"), (2, "two"), (3, "three")]
        .into_iter()
        .map(|(count, name)| {
            let d = draft(&format!("tf,rep-stosb,{name}"), &program(STOSB, count));
            let last = trap(&d, 3).rcx(0).flags(TF).dr6(BS);
            let mut traps: Vec<Trap> = (1..count)
                .rev()
                .map(|left| trap(&d, 2).rcx(left).flags(TF | flag::RF).dr6(BS))
                .collect();
            traps.push(last);
            traps.push(trap(&d, 4).rcx(0).flags(TF));
            meets(d, &traps)
        })
        .collect();
    for (name, bytes) in [
        ("movsb", MOVSB),
        ("lodsb", LODSB),
        ("repne-scasb", SCASB),
        ("insb", INSB),
        ("outsb", OUTSB),
    ] {
        let program = [&[Insn::Mov(2, PORT), Insn::Mov(0, 1)], &program(bytes, 2)[..]].concat();
        let d = draft(&format!("tf,rep-{name}"), &program);
        let traps = [trap(&d, 4).rcx(1), trap(&d, 5).rcx(0), trap(&d, 6).rcx(0)];
        cases.push(meets(d, &traps));
    }
    // The second pair differs: SF, AF, PF and CF.
    let d = draft("tf,repe-cmpsb,condition", &program(CMPSB, 3)).poke(TARGET, 0x100);
    let traps = [
        trap(&d, 2).rcx(2).flags(TF | flag::RF | 0x44),
        trap(&d, 3).rcx(1).flags(TF | 0x95),
        trap(&d, 4).rcx(1),
    ];
    cases.push(meets(d, &traps));
    cases
}

/// A data breakpoint that an iteration of REP hits.
fn repeated() -> Vec<Draft> {
    let program =
        |bytes: &[u8], count| [Insn::Mov(2, PORT), Insn::Mov(1, count), raw(bytes), Insn::Nop];
    // Code, count, what is watched, its size, and RCX at the trap.
    type Row = (&'static str, &'static [u8], u64, u64, u64, u64);
    const ROWS: &[Row] = &[
        ("stosb,first", STOSB, 5, TARGET, 1, 4),
        ("stosb,middle", STOSB, 5, TARGET + 2, 1, 2),
        ("stosb,last", STOSB, 5, TARGET + 4, 1, 0),
        ("stosb,only", STOSB, 1, TARGET, 1, 0),
        ("stosq", STOSQ, 4, TARGET + 0x10, 8, 1),
        ("movsb,source", MOVSB, 5, SOURCE + 2, 1, 2),
        ("movsb,target", MOVSB, 5, TARGET + 2, 1, 2),
        ("lodsb", LODSB, 3, SOURCE + 1, 1, 1),
        ("lodsb,many", LODSB, 0x1_2000, SOURCE + 0x1_1000, 1, 0xfff),
        ("repne-scasb", SCASB, 3, TARGET + 1, 1, 1),
        ("insb", INSB, 3, TARGET + 1, 1, 1),
        ("outsb", OUTSB, 3, SOURCE + 1, 1, 1),
    ];
    let mut cases = Vec::new();
    for (name, bytes, count, at, size, left) in ROWS {
        let new = |id| {
            let d = draft(&format!("watch,rep-{name}{id}"), &program(bytes, *count));
            watch(d.set(Field::RAX, 1), 0, *at, ACCESS, *size)
        };
        let d = new("");
        let place = if *left == 0 { 3 } else { 2 };
        let flags = if *left == 0 { flag::FIXED } else { RF };
        // SCASB changes no flag that was clear: 1 - 0.
        let hit = trap(&d, place).rcx(*left).flags(flags).dr6(B0);
        cases.push(meets(d, &[hit]));
        let d = new(",intercepted").intercept(DB);
        cases.push(d.run().exits(DB).at(place).field(Field::DR6, B0).field(Field::RFLAGS, flags));
    }
    let both = draft("watch,rep-movsb,both", &program(MOVSB, 5));
    let both = watch(watch(both, 0, SOURCE + 2, ACCESS, 1), 1, TARGET + 2, WRITE, 1);
    let hit = trap(&both, 2).rcx(2).flags(RF).dr6(B01);
    cases.push(meets(both, &[hit]));
    let equal = draft("watch,repe-cmpsb", &program(CMPSB, 3));
    let equal = watch(equal, 0, SOURCE + 1, ACCESS, 1);
    let hit = trap(&equal, 2).rcx(1).flags(RF | 0x44).dr6(B0);
    cases.push(meets(equal, &[hit]));
    // One trap for the breakpoint and for the step.
    let step = [raw(STEP), raw(MOV_RDI_AL), Insn::Nop];
    let step = watch(draft("watch,and-step", &step), 0, TARGET, WRITE, 1);
    let traps = [trap(&step, 2).dr6(B0 | dr::DR6_BS), trap(&step, 3)];
    cases.push(meets(step, &traps));
    let step = program(STOSB, 2);
    let step = [&step[..2], &[raw(STEP)], &step[2..]].concat();
    let step = watch(draft("watch,rep-stosb,and-step", &step), 0, TARGET + 1, WRITE, 1);
    let traps =
        [trap(&step, 3).rcx(1).dr6(BS), trap(&step, 4).rcx(0).dr6(B0 | dr::DR6_BS), trap(&step, 5)];
    cases.push(meets(step, &traps));
    cases
}

/// I/O breakpoints.
fn ports() -> Vec<Draft> {
    let new = |id: &str, program: &[Insn]| {
        let d = draft(&format!("io,{id}"), &[&[Insn::Mov(2, PORT)], program].concat());
        watch(d.set(Field::CR4, cr4::PAE | cr4::DE), 0, PORT, IO, 1)
    };
    let mut cases = Vec::new();
    for (name, bytes) in [("outsb", OUTSB), ("insb", INSB), ("outsw", OUTSW)] {
        let d = new(&format!("rep-{name}"), &[Insn::Mov(1, 3), raw(bytes), Insn::Nop]);
        let traps = [
            trap(&d, 2).rcx(2).flags(RF).dr6(B0),
            trap(&d, 2).rcx(1).flags(RF).dr6(B0),
            trap(&d, 3).rcx(0).flags(flag::FIXED).dr6(B0),
        ];
        cases.push(meets(d, &traps));
    }
    let none = new("rep-outsb,none", &[Insn::Mov(1, 0), raw(OUTSB), Insn::Nop]);
    cases.push(meets(none, &[]));
    let d = new("outsb", &[raw(OUTSB_ONCE), Insn::Nop]);
    let hit = trap(&d, 2).flags(flag::FIXED).dr6(B0);
    cases.push(meets(d, &[hit]));
    let d = new("rep-outsb,intercepted", &[Insn::Mov(1, 3), raw(OUTSB)]).intercept(DB);
    cases.push(d.run().exits(DB).at(2).field(Field::DR6, B0).field(Field::RFLAGS, RF));
    let stepped = [Insn::Mov(1, 2), raw(STEP), raw(OUTSB), Insn::Nop];
    let d = new("rep-outsb,and-step", &stepped);
    let both = B0 | dr::DR6_BS;
    let traps = [
        trap(&d, 3).rcx(1).flags(TF | flag::RF).dr6(both),
        trap(&d, 4).rcx(0).flags(TF).dr6(both),
        trap(&d, 5).flags(TF),
    ];
    cases.push(meets(d, &traps));
    let d = new("out,and-step", &[raw(STEP), raw(OUT_DX), Insn::Nop]);
    let traps = [trap(&d, 3).flags(TF).dr6(both), trap(&d, 4).flags(TF)];
    cases.push(meets(d, &traps));
    // XOR EAX, EAX: the flags are those of the instruction before.
    let d = new("out,flags", &[raw(CLEAR_RAX), raw(OUT_DX), Insn::Nop]);
    let hit = trap(&d, 3).flags(flag::FIXED | 0x44).dr6(B0);
    cases.push(meets(d, &[hit]));
    let d = draft("io,out,rf", &[joined(&[Insn::Out { size: 1, port: PORT as u16 }]), Insn::Nop]);
    let d = watch(d.set(Field::CR4, cr4::PAE | cr4::DE), 0, PORT, IO, 1).set(Field::RFLAGS, RF);
    let hit = trap(&d, 1).flags(flag::FIXED).dr6(B0);
    cases.push(meets(d, &[hit]));
    cases
}
