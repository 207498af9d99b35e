//! FERR# and IGNNE# (APM vol. 2, 8.2.17 and 15.30.2): with CR0.NE clear, a write to port F0h
//! lets the processor that has an x87 error pending go on, until the error is cleared.

use alloc::format;
use alloc::vec::Vec;

use super::xstate::pending::{FCW, divide};
use crate::Feature::Msr;
use crate::arch::{cr0, msr};
use crate::case::code::{Code, cleared};
use crate::case::listing::{DIVIDE_BY_ZERO, FLDCW_RDI, FNCLEX, FNINIT, FWAIT, OUT_F0, raw};
use crate::case::other_cpu::{self, ICR_LOW, INIT, START, STARTUP, STOP, STOPPED};
use crate::case::{About, Draft, Step, world};
use crate::outcome::Obs;

const CODE: u64 = world::DATA + 0x2_0000;
/// Counts the rounds of the other CPU.
const ROUNDS: u64 = STOP - 0x40;

pub(crate) fn cases() -> Vec<Draft> {
    let error = [&divide(), FWAIT].concat();
    let cleared_by = |name: &str, clear: &[u8]| {
        let d = read(draft(name).l1(raw(&error), 0).l1(raw(OUT_F0), 0), 1);
        read(d.l1(raw(clear), 0), 0)
    };
    let all = [
        read(draft("no-error").l1(raw(OUT_F0), 0), 0),
        cleared_by("fnclex", FNCLEX),
        cleared_by("fninit", FNINIT),
        // A control word that masks it does, too.
        cleared_by("fldcw", FLDCW_RDI).poke(world::gpr(7), 0x37f),
    ];
    let own = all.into_iter().map(restored);
    own.chain([other()]).collect()
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
    d.l1(raw(FNINIT), 0).step(Step::WriteCr(0, world::L1_CR0)).step(Step::Wrmsr(msr::IGNNE, 0))
}

/// Another CPU has errors, and answers them: none of that is about the first one.
fn other() -> Draft {
    // 16-bit code with 32-bit addresses, so FLDCW [FCW] and INC dword [ROUNDS] are spelt out.
    let fldcw = [&[0x67, 0xd9, 0x2d][..], &(FCW as u32).to_le_bytes()].concat();
    let count = [&[0x67, 0x66, 0xff, 0x05][..], &(ROUNDS as u32).to_le_bytes()].concat();
    let work = [FNINIT, &fldcw, DIVIDE_BY_ZERO, FWAIT, OUT_F0, &count].concat();
    let code = Code::at(CODE).leave_long_mode().write(START, &other_cpu::program(&work));
    let code = code.store(ICR_LOW, INIT).store(ICR_LOW, STARTUP).wait_for(ROUNDS);
    let code = code.store(STOP, 1).wait_for(STOPPED).return_to_long_mode();
    let d = draft("of-another-cpu").on_large_board();
    let d = cleared(d, ROUNDS, STOPPED + 8 - ROUNDS);
    let d = code.called(code.placed(d));
    restored(read(d, 0))
}
