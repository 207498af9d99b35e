//! A #DB whose own delivery meets a data breakpoint: an endless stream, but for what is pending.

use alloc::format;
use alloc::vec::Vec;

use crate::Feature::Debug;
use crate::arch::{dr, flag};
use crate::case::{Draft, Event, Insn, Step, world};
use crate::rules as r;
use crate::vmcb::{Field, exit};

/// The stack that the gate of #DB names, and what is watched: the first that is pushed there.
const IST: u64 = world::DATA + 0x2000;
const SLOT: u64 = IST - 8;
/// Its handler, which is never entered.
const HANDLER: u64 = world::L2_STUBS + 32;

/// L2 single-steps an STI, and an interrupt has waited for it. The gate of #DB is a trap gate, which
/// leaves IF as it is.
fn stream(id: &str) -> Draft {
    let gate = world::L2_IDT + 16;
    Draft::new(Debug, format!("breakpoints/stream,{id}"))
        .about([r::debug::STREAM, r::debug::DATA_BREAKPOINT])
        .program(&[Insn::Sti, Insn::Nop])
        .poke(gate, world::initial_word(gate) | 1 << 32 | 1 << 40)
        .step(Step::Mem { pa: world::L2_TSS + 0x24, width: 8, value: IST })
        .step(Step::WriteDr(0, SLOT))
        .set(Field::DR7, dr::DR7_ONES | 0x9_0002)
        .set(Field::RFLAGS, flag::TF | flag::FIXED)
        .clgi()
        .raise(Event::Intr(0x61))
        .intercept(exit::INTR)
}

pub(crate) fn cases() -> Vec<Draft> {
    [
        stream("intr")
            .run()
            .exits(exit::INTR)
            .field(Field::RIP, HANDLER)
            .field(Field::RSP, IST - 40),
        // An intercept is what hypervisors end it with.
        stream("intercepted")
            .about([r::debug::TF_TRAP, r::intercepts::EXCP_DB])
            .intercept(exit::EXCP + 1)
            .run()
            .exits(exit::EXCP + 1)
            .field(Field::RIP, world::L2_CODE + 1),
    ]
    .into()
}
