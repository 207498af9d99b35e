//! The header, and RAM in general.

use crate::cpu;
use crate::protocol::{HEADER, header};

/// A quadword of RAM.
pub(crate) fn read(at: u64) -> u64 {
    // SAFETY: callers name RAM that nothing holds a reference to.
    unsafe { (at as *const u64).read_volatile() }
}

/// Writes a quadword of RAM.
pub(crate) fn write(at: u64, value: u64) {
    // SAFETY: as in `read`.
    unsafe { (at as *mut u64).write_volatile(value) }
}

/// A word of the header.
pub(crate) fn get(word: u64) -> u64 {
    read(HEADER + word * 8)
}

/// Writes a word of the header.
pub(crate) fn set(word: u64, value: u64) {
    write(HEADER + word * 8, value);
}

/// Adds to a word of the header.
pub(crate) fn add(word: u64, value: u64) {
    set(word, get(word).wrapping_add(value));
}

/// Writes a word and, behind it, its complement.
pub(crate) fn set_checked(word: u64, value: u64) {
    set(word + 1, !value);
    set(word, value);
}

/// A word whose complement is behind it; none if it is not.
pub(crate) fn get_checked(word: u64) -> Option<u64> {
    Some(get(word)).filter(|&value| get(word + 1) == !value)
}

/// Says how it ended, and ends QEMU.
pub(crate) fn finish(state: u64) -> ! {
    set(header::STATE, state);
    cpu::debug_exit()
}
