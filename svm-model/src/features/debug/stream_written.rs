//! A #DB whose own delivery meets a data breakpoint: an endless stream, but for what is pending.

use alloc::format;
use alloc::vec::Vec;

use crate::Feature::Debug;
use crate::arch::{dr, flag};
use crate::case::{About, Draft, Event, Insn, Step, world};
use crate::rules as r;
use crate::vmcb::{Field, exit};

/// The stack that the gate of #DB names, and what is watched: the first that is pushed there.
const IST: u64 = world::DATA + 0x2000;
const SLOT: u64 = IST - 8;
/// #NP.
const NP: u64 = 11;
/// The handler of #DB, which is never entered.
const HANDLER: u64 = world::L2_STUBS + 32;

/// Where the gate of a vector is.
const fn trap_gate(vector: u64) -> u64 {
    world::L2_IDT + 16 * vector
}

/// Of a gate: present.
const PRESENT: u64 = 1 << 47;
/// Of DR7: breakpoint 0 is met by a write of four bytes, or by any access to eight.
const WRITE_4: u64 = 0xd_0002;
const ACCESS_8: u64 = 0xb_0002;

/// L2 single-steps an STI, and an interrupt has waited for it. The gates of #DB and of these
/// exceptions are trap gates, which leave IF as it is.
fn stepped(id: &str, vectors: &[u64], watched: u64, dr7: u64) -> Draft {
    let draft =
        Draft::new(Debug, format!("breakpoints/stream,{id}")).program(&[Insn::Sti, Insn::Nop]);
    let gate = |draft: Draft, vector: &u64| {
        let gate = trap_gate(*vector);
        draft.poke(gate, world::initial_word(gate) | 1 << 32 | 1 << 40)
    };
    [1].iter()
        .chain(vectors)
        .fold(draft, gate)
        .step(Step::Mem { pa: world::L2_TSS + 0x24, width: 8, value: IST })
        .step(Step::WriteDr(0, watched))
        .set(Field::DR7, dr::DR7_ONES | dr7)
        .set(Field::RFLAGS, flag::TF | flag::FIXED)
        .clgi()
        .raise(Event::Intr(0x61))
        .intercept(exit::INTR)
}

fn stream(id: &str) -> Draft {
    stepped(id, &[], SLOT, 0x9_0002).about([r::debug::STREAM, r::debug::DATA_BREAKPOINT])
}

/// The handler of that exception, which the delivery of #DB has raised, is not entered either.
fn raised(id: &str, vector: u64, watched: u64, dr7: u64) -> Draft {
    let gate = trap_gate(1);
    stepped(id, &[vector], watched, dr7)
        .poke(gate, world::initial_word(gate) & !PRESENT)
        .run()
        .exits(exit::INTR)
        .field(Field::RIP, world::L2_STUBS + 32 * vector)
        .field(Field::RSP, IST - 48)
}

pub(crate) fn cases() -> Vec<Draft> {
    [
        stream("intr")
            .run()
            .exits(exit::INTR)
            .field(Field::RIP, HANDLER)
            .field(Field::RSP, IST - 40),
        // The gate itself is watched, which each delivery reads. Whether that meets the breakpoint
        // is not said: it ends in any case.
        stepped("gate", &[], trap_gate(1), ACCESS_8)
            .about(About::Section("13.1.3.2"))
            .run()
            .exits(exit::INTR)
            .field(Field::RIP, HANDLER)
            .field(Field::RSP, IST - 40),
        // The gate of #DB is not present; what is watched is met by the delivery of the #NP.
        raised("np-frame", NP, SLOT, WRITE_4).about([r::debug::STREAM, r::debug::DATA_BREAKPOINT]),
        raised("np-gate", NP, trap_gate(NP), ACCESS_8).about(About::Section("13.1.3.2")),
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
