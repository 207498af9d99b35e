//! The local APIC: events sent to oneself, and their end.

use core::arch::asm;

use crate::cpu;
use crate::wire::event;

const BASE: u64 = 0xfee0_0000;
const ID: u64 = 0x20;
const EOI: u64 = 0xb0;
const SPURIOUS: u64 = 0xf0;
const IN_SERVICE: u64 = 0x100;
const ICR_LOW: u64 = 0x300;
const ICR_HIGH: u64 = 0x310;

/// Delivery modes in ICR, by [`event`].
const MODES: [(u8, u32); 4] =
    [(event::INTR, 0), (event::NMI, 4), (event::INIT, 5), (event::SMI, 2)];

fn read(register: u64) -> u32 {
    // SAFETY: the local APIC is at its reset address, mapped one to one.
    unsafe { ((BASE + register) as *const u32).read_volatile() }
}

fn write(register: u64, value: u32) {
    // SAFETY: as in `read`.
    unsafe { ((BASE + register) as *mut u32).write_volatile(value) }
}

/// Switches the APIC on and the two 8259s off.
pub(crate) fn enable() {
    cpu::outb(0x21, 0xff);
    cpu::outb(0xa1, 0xff);
    write(SPURIOUS, 0x1ff);
}

/// Sends an event to this CPU, and gives it the time to arrive. `None` if there
/// is no such event.
pub(crate) fn raise(kind: u8, vector: u8) -> Option<()> {
    let (_, mode) = MODES.iter().find(|(k, _)| *k == kind)?;
    write(ICR_HIGH, read(ID));
    let command = u32::from(vector) | mode << 8 | 1 << 14;
    // SAFETY: what arrives goes to our own handlers, which may use any register.
    unsafe {
        asm!("mov [rdi], eax", "mov ecx, 16", "2: dec ecx", "jnz 2b",
             in("rdi") BASE + ICR_LOW, in("eax") command, clobber_abi("sysv64"));
    }
    Some(())
}

/// Whether an interrupt of that vector is being serviced.
pub(crate) fn in_service(vector: u8) -> bool {
    read(IN_SERVICE + u64::from(vector / 32) * 0x10) >> (vector % 32) & 1 == 1
}

/// Ends the interrupt being serviced.
pub(crate) fn end() {
    write(EOI, 0);
}

/// Ends all interrupts being serviced.
pub(crate) fn end_all() {
    while (0..8).any(|i| read(IN_SERVICE + i * 0x10) != 0) {
        end();
    }
}
