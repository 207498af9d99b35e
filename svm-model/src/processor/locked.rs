//! Instructions behind a LOCK prefix, on a machine with one processor and on one with two,
//! where an emulator may do them in another way; and bus locks on the latter.

use alloc::format;
use alloc::vec::Vec;

use crate::Feature::{BusLock, Intercepts};
use crate::arch::flag;
use crate::case::code::cleared;
use crate::case::{About, Draft, Insn, world};
use crate::cpu::CpuFeature;
use crate::rules as r;
use crate::vmcb::{Field, exit};

/// What RCX points to, and what is there.
const OPERAND: u64 = world::gpr(1);
const OLD: u64 = 0x35;
/// What RDX has, unless the row says so.
const SOURCE: u64 = 2;

/// CF of RFLAGS.
const CARRY: u64 = 1;

/// What can have the prefix (APM vol. 3, 1.2.5): its bytes behind LOCK, with the operand at
/// `[RCX]` and the other in RDX; and what is in memory then, with CF set and RAX as old.
const ROWS: &[(&str, &[u8], u64)] = &[
    ("adc", &[0x48, 0x11, 0x11], OLD + SOURCE + 1),
    ("add", &[0x48, 0x01, 0x11], OLD + SOURCE),
    ("and", &[0x48, 0x21, 0x11], OLD & SOURCE),
    ("btc", &[0x48, 0x0f, 0xbb, 0x11], OLD ^ 1 << SOURCE),
    ("btr", &[0x48, 0x0f, 0xb3, 0x11], OLD & !(1 << SOURCE)),
    ("bts", &[0x48, 0x0f, 0xba, 0x29, 1], OLD | 1 << 1),
    ("bts-register", &[0x48, 0x0f, 0xab, 0x11], OLD | 1 << SOURCE),
    ("cmpxchg", &[0x48, 0x0f, 0xb1, 0x11], SOURCE),
    ("dec", &[0x48, 0xff, 0x09], OLD - 1),
    ("inc", &[0x48, 0xff, 0x01], OLD + 1),
    ("neg", &[0x48, 0xf7, 0x19], OLD.wrapping_neg()),
    ("not", &[0x48, 0xf7, 0x11], !OLD),
    ("or", &[0x48, 0x09, 0x11], OLD | SOURCE),
    ("sbb", &[0x48, 0x19, 0x11], OLD - SOURCE - 1),
    ("sub", &[0x48, 0x29, 0x11], OLD - SOURCE),
    ("xadd", &[0x48, 0x0f, 0xc1, 0x11], OLD + SOURCE),
    ("xchg", &[0x48, 0x87, 0x11], SOURCE),
    ("xor", &[0x48, 0x31, 0x11], OLD ^ SOURCE),
];

pub(crate) fn cases() -> Vec<Draft> {
    let mut all = Vec::new();
    for large in [false, true] {
        for (name, bytes, new) in ROWS {
            // In one piece, and across the end of a cache line.
            for (place, offset) in [("", 0), ("-across-lines", 0x3c)] {
                let at = OPERAND + offset;
                let case = draft(&format!("{name}{place}"), large)
                    .poke(at, OLD)
                    .program(&[Insn::Mov(1, at), locked(bytes)]);
                all.push(case.run().ends().peek(at).value(*new));
            }
        }
        all.extend(pairs(large));
    }
    all.push(bus_lock());
    all
}

fn locked(bytes: &[u8]) -> Insn {
    Insn::Raw([&[0xf0], bytes].concat())
}

fn draft(id: &str, large: bool) -> Draft {
    let place = if large { "two-processors" } else { "one-processor" };
    let new = Draft::new(Intercepts, format!("locked/{id}-{place}"))
        .about(About::Section("15.12.7"))
        .set(Field::RFLAGS, flag::FIXED | CARRY);
    let new = cleared(new, OPERAND, 0x50).program(&[Insn::Mov(2, SOURCE), Insn::Mov(0, OLD)]);
    if large { new.on_large_board() } else { new }
}

/// CMPXCHG8B and CMPXCHG16B, which compare with what is there and with something else.
fn pairs(large: bool) -> Vec<Draft> {
    const CMPXCHG8B: &[u8] = &[0x0f, 0xc7, 0x0e];
    const CMPXCHG16B: &[u8] = &[0x48, 0x0f, 0xc7, 0x0e];
    let mut all = Vec::new();
    for (name, bytes, wide) in [("cmpxchg8b", CMPXCHG8B, false), ("cmpxchg16b", CMPXCHG16B, true)] {
        for equal in [true, false] {
            let id = if equal { name.into() } else { format!("{name}-other") };
            let case = draft(&id, large).program(&[
                Insn::Mov(6, OPERAND),
                Insn::Mov(3, 0x11),
                Insn::Mov(1, 0x22),
                locked(bytes),
            ]);
            // RDX is in the comparison.
            let high = if equal { SOURCE } else { 3 };
            let case = if wide {
                case.poke(OPERAND, OLD).poke(OPERAND + 8, high)
            } else {
                case.poke(OPERAND, OLD | high << 32)
            };
            let (low, next) = match (equal, wide) {
                (true, true) => (0x11, 0x22),
                (true, false) => (0x11 | 0x22 << 32, 0),
                (false, true) => (OLD, high),
                (false, false) => (OLD | high << 32, 0),
            };
            all.push(case.run().ends().peek(OPERAND).value(low).peek(OPERAND + 8).value(next));
        }
    }
    all
}

/// A bus lock is counted once, on two processors as well.
fn bus_lock() -> Draft {
    const SPLIT: u64 = OPERAND + 0x3c;
    cleared(Draft::new(BusLock, "locked/bus-lock-two-processors"), OPERAND, 0x50)
        .about([r::bus_lock::COUNT, r::bus_lock::SAVED])
        .needs(&[CpuFeature::BusLockThreshold])
        .on_large_board()
        .program(&[Insn::LockNot(SPLIT), Insn::LockNot(SPLIT), Insn::LockNot(SPLIT)])
        .intercept(exit::BUSLOCK)
        .set(Field::BUS_LOCK_THRESHOLD, 7)
        .run()
        .ends()
        .field(Field::BUS_LOCK_THRESHOLD, 4)
        .peek(SPLIT)
        .value(u64::MAX)
}
