//! What the harness and the hostile guest say to each other in memory: a header
//! of little-endian quadwords at a fixed place in RAM, and two tables behind it.
//!
//! This file stands alone: the harness includes it too.

/// Physical address of the header.
pub const HEADER: u64 = 0x100_0000;
/// Physical address of the bitmap of changes that are made, [`CHANGES`] bits.
pub const KEEP: u64 = HEADER + 0x800;
/// Physical address of the count of each exit code; see [`bin`].
pub const EXITS: u64 = HEADER + 0x1000;
/// Physical address of the list of changes of the last attempt: their count,
/// then four quadwords each: number, place, bytes, value.
pub const LIST: u64 = HEADER + 0x4000;
/// Most entries of that list.
pub const LIST_MAX: u64 = 2048;
/// First quadword of the header: `SVMHOSTI`.
pub const MAGIC: u64 = u64::from_le_bytes(*b"SVMHOSTI");
/// Version of everything in this file; raised with every change.
pub const VERSION: u64 = 1;
/// Most changes that one attempt makes.
pub const CHANGES: u64 = 1024;
/// The first number of changes to L2's code, one an instruction.
pub const CODE_CHANGES: u64 = 768;
/// So many attempts in a row, from a multiple of it on, share L2's code.
pub const EPOCH: u64 = 16384;

/// Words of the header.
pub mod header {
    /// [`super::MAGIC`].
    pub const MAGIC: u64 = 0;
    /// [`super::VERSION`].
    pub const VERSION: u64 = 1;
    /// The seed of all attempts.
    pub const SEED: u64 = 2;
    /// The number of the first attempt.
    pub const FIRST: u64 = 3;
    /// The number behind the last one.
    pub const END: u64 = 4;
    /// Of [`super::flag`].
    pub const FLAGS: u64 = 5;
    /// Bytes of RAM.
    pub const RAM: u64 = 6;
    /// One of [`super::state`]; written by the guest.
    pub const STATE: u64 = 8;
    /// The attempt being made; written by the guest.
    pub const NOW: u64 = 9;
    /// The same with every bit turned round: the guest's memory is not safe from L2.
    pub const NOW_CHECK: u64 = 10;
    /// VMRUN instructions so far; written by the guest.
    pub const VMRUNS: u64 = 11;
    /// The same with every bit turned round.
    pub const VMRUNS_CHECK: u64 = 12;
    /// How often the guest came out of reset.
    pub const RESETS: u64 = 13;
    /// Exceptions in L1, each of which ends an attempt.
    pub const FAULTS: u64 = 14;
    /// Interrupts, NMIs and SMIs in L1.
    pub const EVENTS: u64 = 15;
    /// What the second processor has done.
    pub const SECOND: u64 = 16;
}

/// Bits of the flags.
pub mod flag {
    /// A second processor changes things meanwhile.
    pub const SECOND: u64 = 1 << 0;
    /// Only changes of the bitmap are made.
    pub const MASKED: u64 = 1 << 1;
    /// The changes are listed.
    pub const LISTED: u64 = 1 << 2;
    /// Of the kinds, from this bit on, one a bit: which are drawn.
    pub const KINDS: u32 = 8;
}

/// Kinds of attempts.
pub mod kind {
    /// A VMCB of random bytes.
    pub const RANDOM: u64 = 0;
    /// A valid VMCB with a few fields changed.
    pub const FLIPPED: u64 = 1;
    /// Addresses where nobody puts them.
    pub const PLACES: u64 = 2;
    /// Events and instructions of all sorts in a VMCB that is mostly valid.
    pub const EVENTS: u64 = 3;
    /// How many kinds there are.
    pub const COUNT: u64 = 4;
}

/// How it ended.
pub mod state {
    /// It has begun.
    pub const RUNNING: u64 = 1;
    /// All attempts are made.
    pub const DONE: u64 = 2;
    /// The CPU has no SVM.
    pub const NO_SVM: u64 = 3;
    /// The header makes no sense to the guest.
    pub const BAD_INPUT: u64 = 4;
}

/// Where an exit code is counted: those up to 3FFh have a place of their own,
/// 400h to 40Fh the next, then come -1 and all others.
pub const fn bin(code: u64) -> u64 {
    match code {
        0..=0x40f => code,
        0xffff_ffff | u64::MAX => 0x410,
        _ => 0x411,
    }
}

/// How many of them there are.
pub const BINS: u64 = 0x412;
