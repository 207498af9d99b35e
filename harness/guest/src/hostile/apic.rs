//! The local APIC: a periodic interrupt that ends L2 whatever it does, and events
//! sent to oneself and to the other CPU.

use crate::cpu;

const BASE: u64 = 0xfee0_0000;
const ID: u64 = 0x20;
const SPURIOUS: u64 = 0xf0;
const ICR_LOW: u64 = 0x300;
const ICR_HIGH: u64 = 0x310;
const TIMER: u64 = 0x320;
const INITIAL_COUNT: u64 = 0x380;
const DIVIDE: u64 = 0x3e0;

/// The timer's vector.
pub(crate) const VECTOR: u8 = 0x40;
/// The timer's period in its own ticks, nanoseconds on QEMU: what L2 has at most.
const PERIOD: u32 = 250_000;

/// Delivery modes of the ICR.
pub(crate) mod mode {
    pub(crate) const FIXED: u32 = 0 << 8;
    pub(crate) const SMI: u32 = 2 << 8;
    pub(crate) const NMI: u32 = 4 << 8;
    pub(crate) const INIT: u32 = 5 << 8;
    pub(crate) const STARTUP: u32 = 6 << 8;
}

fn write(register: u64, value: u32) {
    // SAFETY: the local APIC is at its reset address, mapped one to one.
    unsafe { ((BASE + register) as *mut u32).write_volatile(value) }
}

/// Which CPU this is.
pub(crate) fn id() -> u32 {
    // SAFETY: as in `write`.
    unsafe { ((BASE + ID) as *const u32).read_volatile() >> 24 }
}

/// Switches the APIC and its timer on, and the two 8259s off.
pub(crate) fn init() {
    cpu::outb(0x21, 0xff);
    cpu::outb(0xa1, 0xff);
    write(SPURIOUS, 0x1ff);
    write(DIVIDE, 0xb);
    write(TIMER, 1 << 17 | u32::from(VECTOR));
    write(INITIAL_COUNT, PERIOD);
}

/// Sends to a CPU: a delivery mode, and a vector.
pub(crate) fn send(to: u32, command: u32) {
    write(ICR_HIGH, to << 24);
    write(ICR_LOW, command | 1 << 14);
}
