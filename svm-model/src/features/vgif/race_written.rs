//! A second CPU that works on its x87 state while the first one enters guests:
//! what a processor keeps for itself, GIF among it, no other one may touch.
//!
//! An interrupt is pending for L1 all the time, and is intercepted. VMRUN sets
//! GIF, so that L2 never gets to its first instruction.

use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Vgif;
use crate::arch::flag;
use crate::case::code::{Code, cleared};
use crate::case::other_cpu::{self, ICR_LOW, INIT, START, STARTUP, STOP, STOPPED};
use crate::case::{About, Draft, Event, Insn, Step, world};
use crate::outcome::Obs;
use crate::vmcb::{Field, exit};

const CODE: u64 = world::DATA + 0x2_0000;
/// How often VMRUN came back for the interrupt, and how often for something else.
const RAN: u64 = world::DATA + 0x3_0000;
const WRONG: u64 = RAN + 4;
/// What the other CPU loads: an x87 environment without any exception.
const ENVIRONMENT: u64 = RAN + 0x80;
const RUNS: u64 = 100_000;

const VECTOR: u8 = 0x60;

pub(crate) fn cases() -> Vec<Draft> {
    let code = l1();
    let d = Draft::new(Vgif, "race/x87-of-another-cpu")
        .about(About::Section("15.17"))
        .on_large_board()
        .program(&[Insn::Nop])
        .set(Field::NESTED_CTL, 0)
        .set(Field::N_CR3, 0)
        .set(Field::RFLAGS, flag::FIXED | flag::IF)
        .intercept(exit::INTR)
        .raise(Event::Intr(VECTOR));
    let d = cleared(cleared(d, RAN, STOPPED + 8 - RAN), ENVIRONMENT, 0x20);
    let d = code
        .called(code.placed(d))
        .step(Step::Peek { pa: WRONG, width: 4 })
        .shows(Obs::Value(0))
        .step(Step::Peek { pa: STOPPED, width: 1 })
        .shows(Obs::Value(1))
        .stgi()
        .step(Step::Window)
        .shows(Obs::L1Interrupt(VECTOR));
    vec![d]
}

/// L1, in protected mode without paging.
fn l1() -> Code {
    let exit_code = world::VMCB + u64::from(Field::EXITCODE.offset());
    let code = Code::at(CODE).leave_long_mode().write(START, &other());
    let code = code.store(ICR_LOW, INIT).store(ICR_LOW, STARTUP);
    let again = code.here();
    code.vmrun(world::VMCB)
        .load_eax(exit_code)
        .if_equal(exit::INTR, |code| code.count(RAN), |code| code.count(WRONG))
        .while_none(WRONG, |code| code.jump_below(RAN, RUNS, again))
        .store(STOP, 1)
        .wait_for(STOPPED)
        .return_to_long_mode()
}

/// The other CPU: FLDENV `[ENVIRONMENT]`.
fn other() -> Vec<u8> {
    let mut work = vec![0x67, 0xd9, 0x25];
    work.extend((ENVIRONMENT as u32).to_le_bytes());
    other_cpu::program(&work)
}
