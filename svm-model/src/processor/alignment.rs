//! Operands that are not aligned, with alignment checking on: L2 runs at CPL 3 with CR0.AM
//! and RFLAGS.AC set. Most raise #AC (APM vol. 2, 8.2.18); what must be aligned in any
//! case raises #GP instead, with alignment checking as without.

use alloc::format;
use alloc::vec::Vec;

use crate::Feature::Intercepts;
use crate::arch::{cr0, cr4, flag};
use crate::case::code::cleared;
use crate::case::listing::{FNINIT, raw};
use crate::case::{About, Draft, world};
use crate::cpu::CpuFeature;
use crate::processor::xstate::{XCR0_ALL, set_xcr0};
use crate::vmcb::{Field, exit};

/// What RCX points to.
const OPERAND: u64 = world::gpr(1);
const AC: u64 = exit::EXCP + 17;
const GP: u64 = exit::EXCP + 13;
/// Aligned for all of them.
const ALIGNED: u8 = 0x40;

/// Instructions with an operand at `[RCX + disp8]`, the displacement apart: opcode and
/// ModRM, and what stands behind the displacement.
type Row = (&'static str, &'static [u8], &'static [u8]);

const X87: &[Row] = &[
    ("fadd-m32", &[0xd8, 0x41], &[]),
    ("fiadd-m32", &[0xda, 0x41], &[]),
    ("fadd-m64", &[0xdc, 0x41], &[]),
    ("fiadd-m16", &[0xde, 0x41], &[]),
    ("fld-m32", &[0xd9, 0x41], &[]),
    ("fild-m32", &[0xdb, 0x41], &[]),
    ("fld-m64", &[0xdd, 0x41], &[]),
    ("fild-m16", &[0xdf, 0x41], &[]),
    ("fild-m64", &[0xdf, 0x69], &[]),
    ("fisttp-m32", &[0xdb, 0x49], &[]),
    ("fisttp-m64", &[0xdd, 0x49], &[]),
    ("fisttp-m16", &[0xdf, 0x49], &[]),
    ("fst-m32", &[0xd9, 0x51], &[]),
    ("fist-m32", &[0xdb, 0x51], &[]),
    ("fst-m64", &[0xdd, 0x51], &[]),
    ("fist-m16", &[0xdf, 0x51], &[]),
    ("fistp-m64", &[0xdf, 0x79], &[]),
    ("fldcw", &[0xd9, 0x69], &[]),
    ("fnstcw", &[0xd9, 0x79], &[]),
    ("fnstsw", &[0xdd, 0x79], &[]),
];

const GENERAL: &[Row] = &[
    ("mov-load", &[0x8b, 0x41], &[]),
    ("mov-store", &[0x89, 0x41], &[]),
    ("movbe-load", &[0x0f, 0x38, 0xf0, 0x41], &[]),
    ("movbe-store", &[0x0f, 0x38, 0xf1, 0x41], &[]),
    ("lock-xadd", &[0xf0, 0x0f, 0xc1, 0x41], &[]),
    ("cmpxchg8b", &[0x0f, 0xc7, 0x49], &[]),
];

const SCALAR: &[Row] = &[
    ("movd-load", &[0x66, 0x0f, 0x6e, 0x41], &[]),
    ("movd-store", &[0x66, 0x0f, 0x7e, 0x41], &[]),
    ("movq-load", &[0xf3, 0x0f, 0x7e, 0x41], &[]),
    ("movq-store", &[0x66, 0x0f, 0xd6, 0x41], &[]),
    ("movss-load", &[0xf3, 0x0f, 0x10, 0x41], &[]),
    ("movss-store", &[0xf3, 0x0f, 0x11, 0x41], &[]),
    ("movsd-load", &[0xf2, 0x0f, 0x10, 0x41], &[]),
    ("movsd-store", &[0xf2, 0x0f, 0x11, 0x41], &[]),
    ("movlps-load", &[0x0f, 0x12, 0x41], &[]),
    ("movlps-store", &[0x0f, 0x13, 0x41], &[]),
    ("movhps-load", &[0x0f, 0x16, 0x41], &[]),
    ("movhps-store", &[0x0f, 0x17, 0x41], &[]),
    ("insertps", &[0x66, 0x0f, 0x3a, 0x21, 0x41], &[0]),
    ("vmovss-load", &[0xc5, 0xfa, 0x10, 0x41], &[]),
    ("vmovsd-load", &[0xc5, 0xfb, 0x10, 0x41], &[]),
    ("vmovlps-load", &[0xc5, 0xf8, 0x12, 0x41], &[]),
    ("vmovq-store", &[0xc5, 0xf9, 0xd6, 0x41], &[]),
    ("vinsertps", &[0xc4, 0xe3, 0x79, 0x21, 0x41], &[0]),
    ("vcvtps2ph", &[0xc4, 0xe3, 0x79, 0x1d, 0x41], &[0]),
];

/// These do not take what is not aligned to all of their operand.
const STRICT: &[Row] = &[
    ("movaps-load", &[0x0f, 0x28, 0x41], &[]),
    ("movaps-store", &[0x0f, 0x29, 0x41], &[]),
    ("movntps", &[0x0f, 0x2b, 0x41], &[]),
    ("vmovaps-load", &[0xc5, 0xfc, 0x28, 0x41], &[]),
    ("vmovaps-store", &[0xc5, 0xfc, 0x29, 0x41], &[]),
    ("cmpxchg16b", &[0x48, 0x0f, 0xc7, 0x49], &[]),
    ("lock-cmpxchg16b", &[0xf0, 0x48, 0x0f, 0xc7, 0x49], &[]),
];

pub(crate) fn cases() -> Vec<Draft> {
    let mut all = Vec::new();
    for row in [X87, GENERAL, SCALAR].concat() {
        all.push(faults(draft(row, "-ac", ALIGNED + 1, true), AC));
        all.push(draft(row, "-aligned", ALIGNED, true).run().ends());
        all.push(draft(row, "-no-ac", ALIGNED + 1, false).run().ends());
    }
    for row in STRICT {
        all.push(faults(draft(*row, "-ac", ALIGNED + 8, true), GP));
        all.push(faults(draft(*row, "-no-ac", ALIGNED + 8, false), GP));
        all.push(draft(*row, "-aligned", ALIGNED, true).run().ends());
    }
    all.into_iter().map(put_back).collect()
}

/// The program is FNINIT and the instruction.
fn draft((name, opcode, behind): Row, id: &str, at: u8, checked: bool) -> Draft {
    let insn = [opcode, &[at], behind].concat();
    let ac = if checked { flag::AC } else { 0 };
    let new = Draft::new(Intercepts, format!("alignment/{name}{id}"))
        .about(About::Section("8.2.18"))
        .needs(&[CpuFeature::Xsave]);
    set_xcr0(cleared(new, OPERAND + 0x40, 0x40), XCR0_ALL)
        .program(&[raw(FNINIT), raw(&insn)])
        .user()
        .set(Field::CR0, world::L1_CR0 | cr0::AM)
        .set(Field::CR4, cr4::PAE | cr4::OSFXSR | cr4::OSXSAVE)
        .set(Field::RFLAGS, flag::FIXED | ac)
        .intercept(AC)
        .intercept(GP)
}

/// L1 puts XCR0 and the x87 control word back.
fn put_back(draft: Draft) -> Draft {
    set_xcr0(draft, 1).l1(raw(FNINIT), 0)
}

fn faults(draft: Draft, code: u64) -> Draft {
    draft.run().exits(code).at(1).field(Field::EXITINFO1, 0)
}
