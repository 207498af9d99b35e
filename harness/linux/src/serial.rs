//! L2's ports: a serial one, and a clock that stands still.

use std::io::{self, Write};

use kvm_ioctls::VmFd;
use vm_superio::{Serial, Trigger};

/// The first serial port, and how many registers it has.
const COM1: u16 = 0x3f8;
const REGISTERS: u16 = 8;
/// Its interrupt.
const IRQ: u32 = 4;
/// The clock's register, which has no update in progress: otherwise Linux would
/// wait for that to end.
const CLOCK: u16 = 0x71;

/// Raises the serial port's interrupt.
pub(crate) struct Line<'a>(&'a VmFd);

impl Trigger for Line<'_> {
    type E = kvm_ioctls::Error;

    fn trigger(&self) -> Result<(), Self::E> {
        self.0.set_irq_line(IRQ, true)?;
        self.0.set_irq_line(IRQ, false)
    }
}

/// Passes what L2 prints on, a line at a time, and looks for a word in it.
pub(crate) struct Screen {
    line: Vec<u8>,
    word: &'static str,
    said: Option<String>,
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            self.line.push(byte);
            if byte == b'\n' {
                let mut out = io::stdout().lock();
                let _ = out.write_all(b"l2| ").and_then(|()| out.write_all(&self.line));
                let line = String::from_utf8_lossy(&self.line);
                if let Some((_, said)) = line.split_once(self.word) {
                    self.said = Some(said.trim().to_owned());
                }
                self.line.clear();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All of L2's ports.
pub(crate) struct Ports<'a> {
    serial: Serial<Line<'a>, vm_superio::serial::NoEvents, Screen>,
}

impl<'a> Ports<'a> {
    /// Of a machine with interrupt controllers, in which L2 is to say `word`.
    pub(crate) fn new(vm: &'a VmFd, word: &'static str) -> Self {
        let screen = Screen { line: Vec::new(), word, said: None };
        Ports { serial: Serial::new(Line(vm), screen) }
    }

    /// What L2 last said behind that word, if it did.
    pub(crate) fn said(&self) -> Option<&str> {
        self.serial.writer().said.as_deref()
    }

    /// What an OUT does.
    pub(crate) fn write(&mut self, port: u16, data: &[u8]) {
        if let (register @ 0..REGISTERS, &[value]) = (port.wrapping_sub(COM1), data) {
            // It fails only when the interrupt does, and then L2 does not go on.
            let _ = self.serial.write(register as u8, value);
        }
    }

    /// What an IN reads; ones where nothing is.
    pub(crate) fn read(&mut self, port: u16, data: &mut [u8]) {
        data.fill(if port == CLOCK { 0 } else { 0xff });
        if let (register @ 0..REGISTERS, [value]) = (port.wrapping_sub(COM1), data) {
            *value = self.serial.read(register as u8);
        }
    }
}
