//! The bus lock threshold, and a CPU without it.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::BusLock;
use crate::case::{Draft, Insn, Step, world};
use crate::cpu::CpuFeature;
use crate::rules as r;
use crate::vmcb::{Field, exit};

/// Four bytes before the end of a cache line.
const SPLIT: u64 = world::DATA + 0x13c;

/// DR7 for a breakpoint 0 on writes.
const ON_WRITE: u64 = 0x1_0402;

pub(crate) fn cases() -> Vec<Draft> {
    let locks = |id: &str, program: &[Insn], count: u64| {
        Draft::new(BusLock, format!("bus-lock/{id}"))
            .needs(&[CpuFeature::BusLockThreshold])
            .program(program)
            .intercept(exit::BUSLOCK)
            .set(Field::BUS_LOCK_THRESHOLD, count)
            .run()
    };
    let three = [const { Insn::LockNot(SPLIT) }; 3];
    let exits = |draft: Draft, n: usize| {
        draft.exits(exit::BUSLOCK).at(n).field(Field::EXITINFO1, 0).field(Field::EXITINFO2, 0)
    };
    vec![
        exits(locks("none-left", &three, 0), 0)
            .about([r::bus_lock::EXIT, r::bus_lock::INFO])
            .field(Field::BUS_LOCK_THRESHOLD, 0)
            .peek(SPLIT)
            .value(0),
        exits(locks("two-left", &three, 2), 2)
            .about([r::bus_lock::COUNT, r::bus_lock::SAVED])
            .field(Field::BUS_LOCK_THRESHOLD, 0),
        locks("enough-left", &three, 0x8000)
            .about([r::bus_lock::COUNT, r::bus_lock::SAVED])
            .ends()
            .field(Field::BUS_LOCK_THRESHOLD, 0x7ffd)
            .peek(SPLIT)
            .value(u64::MAX),
        exits(locks("xchg", &[Insn::Xchg(SPLIT)], 0), 0)
            .about(r::bus_lock::LOCKED)
            .peek(SPLIT)
            .value(0),
        locks("one-line", &[Insn::LockNot(SPLIT - 4)], 0)
            .about(r::bus_lock::SPLIT)
            .ends()
            .peek(SPLIT - 4)
            .value(u64::MAX),
        // One lock is one, whether or not a breakpoint watches the operand.
        Draft::new(BusLock, "bus-lock/watched")
            .about([r::bus_lock::COUNT, r::bus_lock::SAVED])
            .needs(&[CpuFeature::BusLockThreshold])
            .program(&[Insn::LockNot(SPLIT)])
            .step(Step::WriteDr(0, SPLIT + 4))
            .set(Field::DR7, ON_WRITE)
            .intercept(exit::BUSLOCK)
            .intercept(exit::EXCP + 1)
            .set(Field::BUS_LOCK_THRESHOLD, 2)
            .run()
            .exits(exit::EXCP + 1)
            .field(Field::BUS_LOCK_THRESHOLD, 1),
        locks("not-locked", &[Insn::Store(SPLIT)], 0).about(r::bus_lock::LOCKED).ends(),
    ]
}

pub(crate) fn off() -> Vec<Draft> {
    vec![
        Draft::new(BusLock, "feature-off/bus-lock-threshold")
            .about(r::bus_lock::SUPPORTED)
            .without(&[CpuFeature::BusLockThreshold])
            .program(&[Insn::LockNot(world::DATA + 0x3c)])
            .intercept(exit::BUSLOCK)
            .run()
            .ends(),
    ]
}
