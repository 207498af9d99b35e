//! The header, the tasks and the samples.

use crate::cpu;
use crate::protocol::{HEADER, SAMPLES, SAMPLES_SIZE, TASK_SIZE, TASKS, header};

fn read(at: u64) -> u64 {
    // SAFETY: RAM that nothing else uses, mapped one to one.
    unsafe { (at as *const u64).read_volatile() }
}

fn write(at: u64, value: u64) {
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

/// Says how it ended, and ends QEMU.
pub(crate) fn finish(state: u64, what: u64, rip: u64) -> ! {
    set(header::WHAT, what);
    set(header::RIP, rip);
    set(header::STATE, state);
    cpu::debug_exit()
}

/// One task, by its number.
pub(crate) struct Task(pub(crate) u64);

impl Task {
    /// A word of it.
    pub(crate) fn get(&self, word: u64) -> u64 {
        read(TASKS + self.0 * TASK_SIZE + word * 8)
    }

    /// Writes a quadword of samples, if there is room.
    pub(crate) fn sample(&self, n: u64, value: u64) {
        if n < SAMPLES_SIZE / 8 {
            write(SAMPLES + self.0 * SAMPLES_SIZE + n * 8, value);
        }
    }
}
