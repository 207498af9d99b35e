//! What is seen, written to the output area.

use crate::ram::Ram;
use crate::wire::{MAILBOX, header, obs};

/// The output area.
pub(crate) struct Output {
    ram: Ram,
    start: u64,
    next: u64,
    end: u64,
}

impl Output {
    /// The area that the header names.
    pub(crate) fn new(ram: Ram) -> Option<Output> {
        let start = ram.u64(MAILBOX + header::OUTPUT)?;
        let end = start.checked_add(ram.u64(MAILBOX + header::OUTPUT_CAP)?)?;
        Some(Output { ram, start, next: start, end: end.min(ram.size()) })
    }

    /// Appends bytes. `None` where there is no more room.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Option<()> {
        if self.end - self.next < bytes.len() as u64 {
            return None;
        }
        self.ram.write(self.next, bytes)?;
        self.next += bytes.len() as u64;
        Some(())
    }

    /// Appends memory.
    pub(crate) fn memory(&mut self, pa: u64, len: usize) -> Option<()> {
        if self.end - self.next < len as u64 {
            return None;
        }
        self.ram.transfer(pa, self.next, len)?;
        self.next += len as u64;
        Some(())
    }

    /// Appends an exception in L1.
    pub(crate) fn exception(&mut self, vector: u8, error: Option<u32>) -> Option<()> {
        self.put(&[obs::EXCEPTION, vector, error.is_some().into()])?;
        self.put(&error.unwrap_or(0).to_le_bytes())
    }

    /// Appends a value.
    pub(crate) fn value(&mut self, value: u64) -> Option<()> {
        self.put(&[obs::VALUE])?;
        self.put(&value.to_le_bytes())
    }

    /// Shows what there is so far as part of the case being run.
    pub(crate) fn publish(&self) {
        self.header(header::OUTPUT_PART, self.next - self.start);
    }

    /// Ends the case.
    pub(crate) fn commit(&mut self) -> Option<()> {
        self.put(&[obs::END])?;
        self.publish();
        self.header(header::OUTPUT_LEN, self.next - self.start);
        Some(())
    }

    fn header(&self, at: u64, value: u64) {
        _ = self.ram.write(MAILBOX + at, &value.to_le_bytes());
    }
}
