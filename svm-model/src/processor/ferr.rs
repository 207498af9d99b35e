//! FERR# and IGNNE# (APM vol. 2, 8.2.17 and 15.30.2): with CR0.NE clear, a write to port F0h
//! lets the processor that has an x87 error pending go on, until the error is cleared.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::xstate::pending::{DIVIDE, FCW, FNINIT};
use crate::Feature::Msr;
use crate::arch::{cr0, msr};
use crate::case::code::{Code, cleared};
use crate::case::other_cpu::{self, ICR_LOW, INIT, START, STARTUP, STOP, STOPPED};
use crate::case::{About, Draft, Insn, Step, world};
use crate::outcome::Obs;

const CODE: u64 = world::DATA + 0x2_0000;
/// Counts the rounds of the other CPU.
const ROUNDS: u64 = STOP - 0x40;
const FWAIT: u8 = 0x9b;
/// OUT F0h, AL.
const ANSWER: [u8; 2] = [0xe6, 0xf0];

pub(crate) fn cases() -> Vec<Draft> {
    let error = [&DIVIDE[..], &[FWAIT]].concat();
    let cleared_by = |name: &str, clear: &[u8]| {
        let d = read(draft(name).l1(raw(&error), 0).l1(raw(&ANSWER), 0), 1);
        read(d.l1(raw(clear), 0), 0)
    };
    let all = [
        read(draft("no-error").l1(raw(&ANSWER), 0), 0),
        cleared_by("fnclex", &[0xdb, 0xe2]),
        cleared_by("fninit", &FNINIT),
        // A control word that masks it does, too.
        cleared_by("fldcw", &[0xd9, 0x2f]).poke(world::gpr(7), 0x37f),
    ];
    let own = all.into_iter().map(restored);
    own.chain([other()]).collect()
}

fn raw(bytes: &[u8]) -> Insn {
    Insn::Raw(bytes.to_vec())
}

fn draft(id: &str) -> Draft {
    Draft::new(Msr, format!("ferr/{id}"))
        .about(About::Section("8.2.17"))
        .poke(FCW, 0x37b)
        .poke(world::gpr(7), 0x37f)
        .step(Step::WriteCr(0, world::L1_CR0 & !cr0::NE))
}

fn read(d: Draft, ignne: u64) -> Draft {
    d.step(Step::Rdmsr(msr::IGNNE)).shows(Obs::Value(ignne))
}

fn restored(d: Draft) -> Draft {
    d.l1(raw(&FNINIT), 0).step(Step::WriteCr(0, world::L1_CR0)).step(Step::Wrmsr(msr::IGNNE, 0))
}

/// Another CPU has errors, and answers them: none of that is about the first one.
fn other() -> Draft {
    // FNINIT; FLDCW [FCW]; FLD1; FLDZ; FDIVP; FWAIT; OUT F0h, AL; INC dword [ROUNDS].
    let mut work = vec![0xdb, 0xe3, 0x67, 0xd9, 0x2d];
    work.extend((FCW as u32).to_le_bytes());
    work.extend([0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, FWAIT, 0xe6, 0xf0]);
    work.extend([0x67, 0x66, 0xff, 0x05]);
    work.extend((ROUNDS as u32).to_le_bytes());
    let code = Code::at(CODE).leave_long_mode().write(START, &other_cpu::program(&work));
    let code = code.store(ICR_LOW, INIT).store(ICR_LOW, STARTUP).wait_for(ROUNDS);
    let code = code.store(STOP, 1).wait_for(STOPPED).return_to_long_mode();
    let d = draft("of-another-cpu").on_large_board();
    let d = cleared(d, ROUNDS, STOPPED + 8 - ROUNDS);
    let d = code.called(code.placed(d));
    restored(read(d, 0))
}
