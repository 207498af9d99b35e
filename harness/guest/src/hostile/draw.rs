//! Numbers that follow from a seed, and changes by number.

use crate::mailbox;
use crate::protocol::{CHANGES, KEEP, LIST, LIST_MAX, flag};

/// A sequence of numbers (xorshift with a multiplication behind it).
pub(crate) struct Draw(u64);

impl Draw {
    /// The sequence of that seed, for that attempt.
    pub(crate) fn new(seed: u64, n: u64) -> Self {
        let mut z = seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Draw((z ^ z >> 31) | 1)
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d).rotate_left(32)
    }

    /// The next one, below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 8) % n
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of those.
    pub(crate) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    /// A number as boundaries have it, or any.
    pub(crate) fn value(&mut self) -> u64 {
        let v = self.next();
        match self.below(8) {
            0 => v,
            1 => 0,
            2 => u64::MAX,
            3 => 1 << (v & 63),
            4 => (1u64 << (v & 63)).wrapping_sub(1),
            5 => v >> (v & 63),
            6 => !0 << (v & 63),
            _ => v & 0xffff_ffff,
        }
    }
}

/// The changes of one attempt, numbered in the order of drawing, so that the
/// harness can leave out any of them.
pub(crate) struct Changes {
    flags: u64,
    next: u64,
}

impl Changes {
    pub(crate) fn new(flags: u64) -> Self {
        if flags & flag::LISTED != 0 {
            mailbox::write(LIST, 0);
        }
        Changes { flags, next: 0 }
    }

    /// Whether the next change is made.
    pub(crate) fn keep(&mut self) -> bool {
        let n = self.next;
        self.next += 1;
        kept(self.flags, n)
    }

    /// Writes `width` bytes of `value` at `at`, if that change is made.
    pub(crate) fn put(&mut self, at: u64, width: u64, value: u64) {
        if self.keep() {
            list(self.flags, self.next - 1, at, width, value);
            store(at, width, value);
        }
    }

    /// Notes a change that is no write to memory; `what` says which, in the place of an address.
    pub(crate) fn note(&mut self, what: u64, value: u64) -> bool {
        let made = self.keep();
        if made {
            list(self.flags, self.next - 1, what, 0, value);
        }
        made
    }
}

/// Whether change `n` is made.
pub(crate) fn kept(flags: u64, n: u64) -> bool {
    flags & flag::MASKED == 0
        || n >= CHANGES
        || mailbox::read(KEEP + n / 64 * 8) >> (n % 64) & 1 == 1
}

/// Adds a change to the list, if the harness wants one.
pub(crate) fn list(flags: u64, n: u64, at: u64, width: u64, value: u64) {
    let count = if flags & flag::LISTED == 0 { LIST_MAX } else { mailbox::read(LIST) };
    if count < LIST_MAX {
        for (i, word) in [n, at, width, value].into_iter().enumerate() {
            mailbox::write(LIST + 8 + count * 32 + i as u64 * 8, word);
        }
        mailbox::write(LIST, count + 1);
    }
}

/// Writes 1, 2, 4 or 8 bytes.
pub(crate) fn store(at: u64, width: u64, value: u64) {
    // SAFETY: callers name RAM that L1 does not stand on.
    unsafe {
        match width {
            1 => (at as *mut u8).write_volatile(value as u8),
            2 => (at as *mut u16).write_unaligned(value as u16),
            4 => (at as *mut u32).write_unaligned(value as u32),
            _ => (at as *mut u64).write_unaligned(value),
        }
    }
}
