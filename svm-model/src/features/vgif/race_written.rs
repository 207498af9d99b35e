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
use crate::case::{About, Draft, Event, Insn, Step, world};
use crate::outcome::Obs;
use crate::vmcb::{Field, exit};

const CODE: u64 = world::DATA + 0x2_0000;
/// How often VMRUN came back for the interrupt, and how often for something else.
const RAN: u64 = world::DATA + 0x3_0000;
const WRONG: u64 = RAN + 4;
/// The other CPU goes on as long as this is zero, and says so when it has stopped.
const STOP: u64 = RAN + 0x40;
const STOPPED: u64 = RAN + 0x44;
/// What the other CPU loads: an x87 environment without any exception.
const ENVIRONMENT: u64 = RAN + 0x80;
const RUNS: u64 = 100_000;

/// Where the other CPU starts: real mode, CS:IP 1000:0000.
const START: u64 = 0x1_0000;
/// The pointer to L1's GDT behind its code, as an offset.
const GDTR: u8 = 0x80;
const GDT_LIMIT: u16 = 0x3f;

const ICR_LOW: u64 = 0xfee0_0300;
/// INIT, and start-up at [`START`], for all but the sender.
const INIT: u32 = 0xc_4500;
const STARTUP: u32 = 0xc_4600 | (START >> 12) as u32;
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

/// The other CPU: CLI; LGDT; MOV EAX, CR0; OR AL, 1; MOV CR0, EAX; MOV BX, 16;
/// MOV DS, BX; AND AL, 0xfe; MOV CR0, EAX; and then, with all of memory in reach,
/// FLDENV `[ENVIRONMENT]`; CMP byte `[STOP]`, 0; JE; MOV byte `[STOPPED]`, 1; HLT; JMP.
fn other() -> Vec<u8> {
    let mut code = vec![0xfa, 0x66, 0x2e, 0x0f, 0x01, 0x16, GDTR, 0];
    code.extend([0x0f, 0x20, 0xc0, 0x0c, 1, 0x0f, 0x22, 0xc0]);
    code.extend([0xbb, world::L2_DS as u8, 0, 0x8e, 0xdb, 0x24, 0xfe, 0x0f, 0x22, 0xc0]);
    let again = code.len();
    code.extend([0x67, 0xd9, 0x25]);
    code.extend((ENVIRONMENT as u32).to_le_bytes());
    code.extend([0x67, 0x80, 0x3d]);
    code.extend((STOP as u32).to_le_bytes());
    code.extend([0, 0x74]);
    code.push((again.wrapping_sub(code.len() + 1)) as u8);
    code.extend([0x67, 0xc6, 0x05]);
    code.extend((STOPPED as u32).to_le_bytes());
    code.extend([1, 0xf4, 0xeb, 0xfd]);
    code.resize(GDTR.into(), 0);
    code.extend(GDT_LIMIT.to_le_bytes());
    code.extend((world::L1_GDT as u32).to_le_bytes());
    code
}
