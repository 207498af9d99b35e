//! The tables that L2 has here: descriptors of every kind, an IDT for its mode, a TSS
//! and two stacks.

use super::{SS, TS};
use crate::case::code::cleared;
use crate::case::mode::Mode;
use crate::case::{Draft, Insn, world};
use crate::vmcb::Field;

const IDT: u64 = world::DATA + 0x10_0000;
const GDT: u64 = IDT + 0x1000;
const TSS: u64 = IDT + 0x2000;
const HANDLERS: u64 = IDT + 0x3000;
/// The top of the stack that L2 has.
pub(super) const STACK: u64 = IDT + 0x5000;
/// The top of the stack that a handler at CPL 0 gets from CPL 3.
pub(super) const INNER: u64 = IDT + 0x7000;
/// The selector of the TSS.
const TR: u16 = world::L2_TR;

pub(super) const CODE0: u16 = 0x08;
pub(super) const DATA0: u16 = 0x10;
pub(super) const CODE3: u16 = 0x20;
pub(super) const DATA3: u16 = 0x28;
pub(super) const CODE_ABSENT: u16 = 0x30;
pub(super) const DATA_ABSENT: u16 = 0x38;
pub(super) const READ_ONLY: u16 = 0x40;
pub(super) const LDT: u16 = 0x48;
pub(super) const CODE64: u16 = 0x50;
pub(super) const CODE64_USER: u16 = 0x58;
pub(super) const CODE64_ABSENT: u16 = 0x60;
pub(super) const CODE64_AND_32: u16 = 0x68;
pub(super) const CONFORMING: u16 = 0x70;
/// A call gate, of one entry or two.
pub(super) const CALL_GATE: u16 = 0x78;
const LIMIT: u64 = 0x87;

const DESCRIPTORS: &[(u16, u64)] = &[
    (CODE0, 0x00cf_9b00_0000_ffff),
    (DATA0, 0x00cf_9300_0000_ffff),
    (CODE3, 0x00cf_fb00_0000_ffff),
    (DATA3, 0x00cf_f300_0000_ffff),
    (CODE_ABSENT, 0x00cf_1b00_0000_ffff),
    (DATA_ABSENT, 0x00cf_1300_0000_ffff),
    (READ_ONLY, 0x00cf_9100_0000_ffff),
    (LDT, 0x0000_8200_0000_0000),
    (CODE64, 0x00af_9b00_0000_ffff),
    (CODE64_USER, 0x00af_fb00_0000_ffff),
    (CODE64_ABSENT, 0x00af_1b00_0000_ffff),
    (CODE64_AND_32, 0x00ef_9b00_0000_ffff),
    (CONFORMING, 0x00cf_9f00_0000_ffff),
];

/// The shape of tables and frames.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Legacy,
    Long,
}

/// Bytes of a gate, by shape.
pub(super) const IDT_STEP: [u64; 2] = [8, 16];

impl Shape {
    pub(super) fn name(self) -> &'static str {
        self.mode().name()
    }

    pub(super) fn mode(self) -> Mode {
        match self {
            Shape::Legacy => Mode::Protected,
            Shape::Long => Mode::Long,
        }
    }

    /// The code segment of handlers.
    pub(super) fn code(self) -> u16 {
        match self {
            Shape::Legacy => CODE0,
            Shape::Long => CODE64,
        }
    }

    /// A code segment of CPL 3.
    pub(super) fn user_code(self) -> u16 {
        match self {
            Shape::Legacy => CODE3,
            Shape::Long => CODE64_USER,
        }
    }

    /// Bytes of a frame.
    pub(super) fn frame(self, from_user: bool, error: bool) -> u64 {
        let words = 3 + u64::from(error);
        match self {
            Shape::Legacy => 4 * (words + 2 * u64::from(from_user)),
            Shape::Long => 8 * (words + 2),
        }
    }
}

/// A gate, its offset apart.
#[derive(Clone, Copy)]
pub(super) struct Gate {
    pub(super) selector: u16,
    pub(super) kind: u8,
    pub(super) ist: u8,
}

/// A VMMCALL for each vector.
pub(super) fn handler(vector: u8) -> u64 {
    HANDLERS + 16 * u64::from(vector)
}

/// Writes a gate at `at`.
fn write_gate(draft: Draft, shape: Shape, at: u64, gate: Gate, to: u64) -> Draft {
    let low = to & 0xffff
        | u64::from(gate.selector) << 16
        | u64::from(gate.ist) << 32
        | u64::from(gate.kind) << 40
        | (to >> 16 & 0xffff) << 48;
    let draft = draft.poke(at, low);
    if shape == Shape::Long { draft.poke(at + 8, to >> 32) } else { draft }
}

/// Puts a gate into the IDT.
pub(super) fn gate(draft: Draft, shape: Shape, vector: u8, gate: Gate, to: u64) -> Draft {
    write_gate(draft, shape, IDT + u64::from(vector) * IDT_STEP[shape as usize], gate, to)
}

/// Puts a call gate into the GDT.
pub(super) fn call_gate(draft: Draft, shape: Shape, selector: u16, to: u64) -> Draft {
    let gate = Gate { selector, kind: 0xec, ist: 0 };
    write_gate(draft, shape, GDT + u64::from(CALL_GATE), gate, to)
}

/// Everything as it should be, with handlers for what goes wrong.
pub(super) fn laid_out(draft: Draft, shape: Shape) -> Draft {
    let draft = DESCRIPTORS
        .iter()
        .fold(draft, |d, (selector, value)| d.poke(GDT + u64::from(*selector), *value));
    let draft = cleared(cleared(draft, STACK - 0x80, 0x80), INNER - 0x80, 0x80);
    let draft = draft
        .set(Field::GDTR_BASE, GDT)
        .set(Field::GDTR_LIMIT, LIMIT)
        .set(Field::IDTR_BASE, IDT)
        .set(Field::IDTR_LIMIT, 0xfff)
        .set(Field::RSP, STACK);
    let draft = [6, 8, 10, 11, 12, 13, 0x30].iter().fold(draft, |d, vector| {
        let d = d.poke(handler(*vector), 0x00d9_010f);
        gate(
            d,
            shape,
            *vector,
            Gate { selector: shape.code(), kind: 0xee, ist: 0 },
            handler(*vector),
        )
    });
    with_tss(draft, shape, &Tss::GOOD)
}

/// The TSS, as far as it matters.
pub(super) struct Tss {
    /// SS0, outside long mode.
    pub(super) ss: u16,
    /// RSP0, and IST1.
    pub(super) rsp: u64,
    pub(super) limit: u64,
    pub(super) ist: u8,
}

impl Tss {
    pub(super) const GOOD: Tss = Tss { ss: DATA0, rsp: INNER, limit: 0x67, ist: 0 };
}

/// L2 has that TSS. VMRUN leaves TR alone: L1 loads it by VMLOAD.
pub(super) fn with_tss(draft: Draft, shape: Shape, tss: &Tss) -> Draft {
    let draft = match shape {
        Shape::Legacy => draft.poke(TSS, tss.rsp << 32).poke(TSS + 8, tss.ss.into()),
        Shape::Long => {
            let (low, high) = (tss.rsp << 32, tss.rsp >> 32);
            draft.poke(TSS, low).poke(TSS + 8, high).poke(TSS + 0x20, low).poke(TSS + 0x28, high)
        }
    };
    let state = [
        (Field::TR_SELECTOR, u64::from(TR)),
        (Field::TR_ATTRIB, 0x8b),
        (Field::TR_LIMIT, tss.limit),
        (Field::TR_BASE, TSS),
    ];
    let draft = state.iter().fold(draft, |d, (f, v)| d.poke_field(world::VMCB2, *f, *v));
    draft.l1(Insn::Vmload, world::VMCB2)
}

/// A stack that cannot be used.
pub(super) struct Stack {
    pub(super) name: &'static str,
    pub(super) shapes: &'static [Shape],
    pub(super) tss: Tss,
    pub(super) raises: u8,
    /// In its error code.
    pub(super) selector: u16,
}

const fn ss(name: &'static str, ss: u16, raises: u8) -> Stack {
    let shapes = &[Shape::Legacy];
    Stack { name, shapes, tss: Tss { ss, ..Tss::GOOD }, raises, selector: ss & !3 }
}

const fn tss(name: &'static str, shapes: &'static [Shape], tss: Tss) -> Stack {
    Stack { name, shapes, tss, raises: TS, selector: TR }
}

/// Each of them.
pub(super) const STACKS: &[Stack] = &[
    ss("ss-null", 0, TS),
    ss("ss-rpl", DATA0 | 3, TS),
    ss("ss-beyond-gdt", 0x100, TS),
    ss("ss-in-no-ldt", 0x0c, TS),
    ss("ss-dpl", DATA3, TS),
    ss("ss-is-code", CODE0, TS),
    ss("ss-is-read-only", READ_ONLY, TS),
    ss("ss-is-ldt", LDT, TS),
    ss("ss-absent", DATA_ABSENT, SS),
    // The last byte of RSP0, and of SS0 outside long mode, counts.
    tss("tss-limit", &[Shape::Legacy], Tss { limit: 0x0a, ..Tss::GOOD }),
    tss("tss-limit", &[Shape::Long], Tss { limit: 0x0a, ..Tss::GOOD }),
    tss("tss-limit-ist", &[Shape::Long], Tss { limit: 0x2a, ist: 1, ..Tss::GOOD }),
    Stack {
        name: "rsp-not-canonical",
        shapes: &[Shape::Long],
        tss: Tss { rsp: 1 << 50, ..Tss::GOOD },
        raises: SS,
        selector: 0,
    },
];
