//! The world outside: a serial port to print to, and a port that ends QEMU.

use core::arch::asm;
use core::fmt::{self, Write};

/// The first serial port.
const SERIAL: u16 = 0x3f8;
/// QEMU's isa-debug-exit; the exit code is twice the value, and one.
const EXIT: u16 = 0xf4;

fn out(port: u16, value: u8) {
    // SAFETY: both ports are ours, and touch no memory.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack)) }
}

/// The serial port, for `write!`.
pub(crate) struct Serial;

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| out(SERIAL, byte));
        Ok(())
    }
}

/// Ends QEMU: 0x10 for good, anything else for bad.
pub(crate) fn exit(value: u8) -> ! {
    out(EXIT, value);
    loop {
        // SAFETY: it waits, in case there is no such device.
        unsafe { asm!("hlt", options(nomem, nostack)) }
    }
}
