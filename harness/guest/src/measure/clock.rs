//! Time: the TSC, and its frequency by the 8254, whose own is known.

use core::arch::asm;
use core::arch::x86_64::_rdtsc;

use crate::cpu::outb;
use crate::mailbox::{self, Task};
use crate::protocol::{header, task};

/// Ticks of the 8254 in a second.
const PIT_HZ: u64 = 1_193_182;
const PIT_COUNTER: u16 = 0x40;
const PIT_COMMAND: u16 = 0x43;
/// Ticks of the 8254 in one comparison, about 10 ms; it wraps after 65536.
const WINDOW: u16 = 12_000;
/// Comparisons, of which the one in the middle counts: a host that stops us for
/// too long spoils one.
const COMPARISONS: usize = 7;

/// Finds the TSC's frequency.
pub(crate) fn init() {
    // Channel 0, both bytes, mode 2, from 65536 down.
    outb(PIT_COMMAND, 0x34);
    outb(PIT_COUNTER, 0);
    outb(PIT_COUNTER, 0);
    let mut found = [0; COMPARISONS];
    for hz in &mut found {
        *hz = compare();
    }
    found.sort_unstable();
    mailbox::set(header::TSC_HZ, found[COMPARISONS / 2]);
}

/// The TSC's frequency, in Hz.
fn compare() -> u64 {
    let (first, start) = both();
    loop {
        let (now, end) = both();
        let elapsed = first.wrapping_sub(now);
        if elapsed >= WINDOW {
            return (end - start) * PIT_HZ / u64::from(elapsed);
        }
    }
}

/// The counter of channel 0 and, right after, the TSC.
fn both() -> (u16, u64) {
    outb(PIT_COMMAND, 0);
    let ticks = tsc();
    let (low, high) = (inb(PIT_COUNTER), inb(PIT_COUNTER));
    (u16::from_le_bytes([low, high]), ticks)
}

fn inb(port: u16) -> u8 {
    let value;
    // SAFETY: only the 8254 is read.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack)) };
    value
}

/// The TSC.
pub(crate) fn tsc() -> u64 {
    // SAFETY: every CPU in long mode has it.
    unsafe { _rdtsc() }
}

/// Takes the task's samples of `work`.
pub(crate) fn samples(task: &Task, mut work: impl FnMut()) {
    for n in 0..task.get(task::SAMPLES) {
        let before = tsc();
        work();
        task.sample(n, tsc() - before);
    }
}
