//! L1's own work, in which SVM has no part: a series for SVM must not slow it down.

use core::arch::asm;
use core::hint::black_box;

use crate::interrupts::{self, APIC_VECTOR, INT_VECTOR};
use crate::layout::L1PT;
use crate::mailbox;
use crate::protocol::state;

/// A few MiB of RAM that nothing else uses.
const FIELD: u64 = 0x600_0000;
const FIELD_SIZE: u64 = 4 << 20;
/// The local APIC's interrupt command register.
const ICR: u64 = 0xfee0_0300;

fn load(at: u64) -> u64 {
    // SAFETY: RAM that nothing else uses.
    unsafe { (at as *const u64).read_volatile() }
}

fn store(at: u64, value: u64) {
    // SAFETY: RAM that nothing else uses.
    unsafe { (at as *mut u64).write_volatile(value) }
}

/// Loads and stores: a walk in small steps, and one from page to page.
pub(crate) fn memory(trips: u64) {
    let mut sum = 0u64;
    for trip in 0..trips {
        for n in 0..512 {
            let at = FIELD + n * 64;
            sum = sum.wrapping_add(load(at)) ^ n;
            store(at, sum);
            let far = FIELD + (n * 4096 * 7 + trip * 8) % FIELD_SIZE;
            store(far, load(far) + 1);
        }
    }
    black_box(sum);
}

/// Calls, direct, through pointers and nested, and arithmetic.
pub(crate) fn calls(trips: u64) {
    #[inline(never)]
    fn sum(n: u64) -> u64 {
        if n == 0 { 1 } else { black_box(sum(n - 1)).wrapping_mul(n | 1).rotate_left(7) }
    }
    #[inline(never)]
    fn mix(n: u64) -> u64 {
        (n ^ n >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
    #[inline(never)]
    fn divide(n: u64) -> u64 {
        n / (n % 97 + 1)
    }
    let table: [fn(u64) -> u64; 3] = [sum, mix, divide];
    let mut total = 0u64;
    for n in 0..trips * 100 {
        let call = black_box(table)[(n % 3) as usize];
        total = total.wrapping_add(call(n % 16 + 1));
    }
    black_box(total);
}

/// One interrupt from the local APIC and one software interrupt a trip.
pub(crate) fn interrupts(trips: u64) {
    let before = interrupts::count();
    for _ in 0..trips {
        // SAFETY: what arrives is counted by our handlers, which change no register.
        unsafe {
            asm!("mov dword ptr [{icr}], {command:e}", "sti", "nop", "nop", "cli", "int {int}",
                 icr = in(reg) ICR, command = in(reg) u64::from(APIC_VECTOR) | 1 << 18,
                 int = const INT_VECTOR);
        }
    }
    if interrupts::count() != before + 2 * trips {
        mailbox::finish(state::EXCEPTION, APIC_VECTOR.into(), interrupts::count() - before);
    }
}

/// Address-space switches (to the same tables) and INVLPG, each followed by
/// accesses to a few pages.
pub(crate) fn paging(trips: u64) {
    for trip in 0..trips {
        // SAFETY: CR3 is written with the tables that are in use.
        unsafe { asm!("mov cr3, {}", in(reg) L1PT, options(nostack)) };
        for n in 0..16 {
            let at = FIELD + n * 4096;
            store(at, load(at) + trip);
        }
        for n in 0..4 {
            let at = FIELD + n * 4096;
            // SAFETY: only the TLB changes.
            unsafe { asm!("invlpg [{}]", in(reg) at, options(nostack)) };
            store(at, load(at) + trip);
        }
    }
}

/// CPUID, RDMSR and a port access a trip.
pub(crate) fn system(trips: u64) {
    for _ in 0..trips {
        black_box(crate::cpu::cpuid(0x8000_0000, 0));
        black_box(crate::cpu::rdmsr(crate::cpu::EFER));
        crate::cpu::outb(0x21, 0xff);
    }
}
