//! The header that harness and guest share.

use crate::cpu;
use crate::wire::{self, header, state};

/// Reads 4 bytes of the header.
pub(crate) fn get32(offset: u64) -> u32 {
    // SAFETY: the header is RAM that nothing else uses, mapped one to one.
    unsafe { ((wire::MAILBOX + offset) as *const u32).read_volatile() }
}

/// Reads 8 bytes of the header.
pub(crate) fn get64(offset: u64) -> u64 {
    // SAFETY: as in `get32`.
    unsafe { ((wire::MAILBOX + offset) as *const u64).read_volatile() }
}

/// Writes 4 bytes of the header.
pub(crate) fn set32(offset: u64, value: u32) {
    // SAFETY: as in `get32`.
    unsafe { ((wire::MAILBOX + offset) as *mut u32).write_volatile(value) }
}

/// Writes 8 bytes of the header.
pub(crate) fn set64(offset: u64, value: u64) {
    // SAFETY: as in `get32`.
    unsafe { ((wire::MAILBOX + offset) as *mut u64).write_volatile(value) }
}

/// The state; ends the run if the header is not one that this guest understands.
pub(crate) fn check() -> u32 {
    if get64(header::MAGIC) != wire::MAGIC || get32(header::VERSION) != wire::VERSION {
        finish(state::BAD_INPUT);
    }
    match get32(header::STATE) {
        found @ (state::READY | state::RUNNING | state::UNDOING) => found,
        _ => finish(state::BAD_INPUT),
    }
}

/// Writes the last state and ends QEMU.
pub(crate) fn finish(last: u32) -> ! {
    set32(header::STATE, last);
    cpu::debug_exit()
}

/// Ends the run because of an exception in the guest's own code.
pub(crate) fn give_up(vector: u32, error: u32, rip: u64) -> ! {
    set32(header::PANIC, vector);
    set32(header::PANIC + 4, error);
    set64(header::PANIC + 8, rip);
    set64(header::PANIC + 16, cpu::read_cr2());
    finish(state::PANIC)
}
