//! What holds for one instruction (the interrupt shadow, RFLAGS.RF) ends behind a branch too,
//! whichever way it goes (APM vol. 2, 15.21.5 and 13.1.3.1).

use alloc::format;
use alloc::vec::Vec;

use crate::Feature::{Debug, Virq};
use crate::arch::{dr, flag, int_ctl, int_state};
use crate::case::listing::{
    JECXZ_TO_NEXT, JMP_TO_NEXT, JNZ_TO_NEXT, JZ_TO_NEXT, LOOP_TO_NEXT, raw,
};
use crate::case::{About, Draft, Insn, Step};
use crate::vmcb::{Field, exit};

const IF: u64 = flag::FIXED | flag::IF;

/// Each goes to the instruction behind it, or falls through to it.
const BRANCHES: &[(&str, &[u8])] = &[
    ("jmp", JMP_TO_NEXT),
    ("jnz-taken", JNZ_TO_NEXT),
    ("jz-not-taken", JZ_TO_NEXT),
    ("loop-taken", LOOP_TO_NEXT),
    ("jecxz-not-taken", JECXZ_TO_NEXT),
];

pub(crate) fn cases() -> Vec<Draft> {
    BRANCHES
        .iter()
        .flat_map(|(name, code)| [shadow(name, code), sti(name, code), rf(name, code)])
        .collect()
}

fn pending(d: Draft) -> Draft {
    d.about(About::Section("15.21.5"))
        .set(Field::INT_CTL, int_ctl::V_IRQ | int_ctl::V_IGN_TPR)
        .set(Field::INT_VECTOR, 0x50)
        .intercept(exit::VINTR)
}

/// VMRUN loads a shadow, and the branch is in it.
fn shadow(name: &str, code: &[u8]) -> Draft {
    let d = Draft::new(Virq, format!("branches/shadow,{name}"));
    pending(d.program(&[raw(code), Insn::Nop, Insn::Nop]))
        .set(Field::RFLAGS, IF)
        .set(Field::INT_STATE, int_state::SHADOW)
        .run()
        .exits(exit::VINTR)
        .at(1)
        .field(Field::INT_STATE, 0)
}

fn sti(name: &str, code: &[u8]) -> Draft {
    let d = Draft::new(Virq, format!("branches/sti,{name}"));
    pending(d.program(&[Insn::Sti, raw(code), Insn::Nop, Insn::Nop]))
        .run()
        .exits(exit::VINTR)
        .at(2)
        .field(Field::INT_STATE, 0)
}

/// RF is for the branch alone: a breakpoint on the instruction behind it is met.
fn rf(name: &str, code: &[u8]) -> Draft {
    let d = Draft::new(Debug, format!("branches/rf,{name}"))
        .about(About::Section("13.1.3.1"))
        .program(&[raw(code), Insn::Nop, Insn::Nop])
        .set(Field::RFLAGS, flag::FIXED | flag::RF);
    let at = d.rip(1);
    d.step(Step::WriteDr(0, at))
        .also(Field::DR7, dr::DR7_ONES | 2)
        .intercept(exit::EXCP + 1)
        .run()
        .exits(exit::EXCP + 1)
        .at(1)
        .field(Field::DR6, dr::DR6_ONES | dr::DR6_B0)
}
