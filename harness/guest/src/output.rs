//! Where observations go.

use crate::global::Global;
use crate::mailbox;
use crate::wire::{self, header, obs, state};

struct Output {
    next: u64,
    end: u64,
}

static OUTPUT: Global<Output> = Global::new(Output { next: 0, end: 0 });

/// Begins at what finished cases have left.
pub(crate) fn init() {
    let base = mailbox::get64(header::OUTPUT);
    // SAFETY: no other reference is alive: nothing observes while this runs.
    let out = unsafe { OUTPUT.get() };
    out.next = base + mailbox::get64(header::OUTPUT_LEN);
    out.end = base + mailbox::get64(header::OUTPUT_CAP);
}

/// Goes on behind what the case being run has published.
pub(crate) fn resume() {
    let base = mailbox::get64(header::OUTPUT);
    // SAFETY: as in `init`.
    unsafe { OUTPUT.get() }.next = base + mailbox::get64(header::OUTPUT_PART);
}

/// Appends bytes.
pub(crate) fn put(bytes: &[u8]) {
    // SAFETY: a trap handler observes only where the code that it interrupts is
    // not observing: in the slot, in a window, or right after an ICR write.
    let out = unsafe { OUTPUT.get() };
    if out.end - out.next < bytes.len() as u64 {
        mailbox::finish(state::FULL);
    }
    // SAFETY: the output area is RAM that nothing else uses; the bound was checked.
    unsafe {
        core::ptr::copy_nonoverlapping(bytes.as_ptr(), out.next as *mut u8, bytes.len());
    }
    out.next += bytes.len() as u64;
}

/// Makes what was put so far visible as part of the case being run.
pub(crate) fn publish() {
    mailbox::set64(header::OUTPUT_PART, len());
}

/// Makes what was put so far part of the finished cases.
pub(crate) fn commit() {
    publish();
    mailbox::set64(header::OUTPUT_LEN, len());
}

fn len() -> u64 {
    // SAFETY: as in `put`.
    unsafe { OUTPUT.get() }.next - mailbox::get64(header::OUTPUT)
}

/// Observes an exception in L1.
pub(crate) fn exception(vector: u8, error: Option<u32>) {
    put(&[obs::EXCEPTION, vector, error.is_some().into()]);
    put(&error.unwrap_or(0).to_le_bytes());
}

/// Observes a value.
pub(crate) fn value(value: u64) {
    put(&[obs::VALUE]);
    put(&value.to_le_bytes());
}

/// Observes memory.
///
/// # Safety
/// `[pa, pa + len)` is RAM.
pub(crate) unsafe fn memory(pa: u64, len: usize) {
    // SAFETY: the caller's promise.
    put(unsafe { core::slice::from_raw_parts(pa as *const u8, len) });
}

/// Observes registers.
pub(crate) fn registers(values: &[u64; wire::HOST]) {
    // SAFETY: numbers are bytes, and this machine is little-endian.
    put(unsafe { core::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) });
}
