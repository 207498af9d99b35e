//! Putting the world back as it was before the case.

use crate::cpu::{self, EFER};
use crate::execute::{self, CONTEXT, NO_FAULT};
use crate::global::Global;
use crate::layout::{L1_CR0, L1_CR4, L1_EFER, L1_RFLAGS, L1PT, VMCB};
use crate::wire::{PARTS, state};
use crate::{apic, mailbox};

const WORDS: usize = 4096;
const PAGES: usize = 16;
const MSRS: usize = 64;

#[repr(C, align(4096))]
struct Page([u8; 4096]);

struct Log {
    /// Addresses and what was there, oldest first.
    words: [(u64, u64); WORDS],
    word_count: usize,
    pages: [(u64, Page); PAGES],
    page_count: usize,
    msrs: [(u32, u64); MSRS],
    msr_count: usize,
    /// Whether VMLOAD state may have changed.
    vmload: bool,
    /// Whether events were raised.
    events: bool,
}

static LOG: Global<Log> = Global::new(Log {
    words: [(0, 0); WORDS],
    word_count: 0,
    pages: [const { (0, Page([0; 4096])) }; PAGES],
    page_count: 0,
    msrs: [(0, 0); MSRS],
    msr_count: 0,
    vmload: false,
    events: false,
});

/// The VMCB as the harness made it.
static BASELINE: Global<Page> = Global::new(Page([0; 4096]));
static BASELINE_KEPT: Global<bool> = Global::new(false);

/// The VMCB of the baseline, kept at the first call, before any case has run.
pub(crate) fn baseline() -> u64 {
    // SAFETY: no other reference to these two is ever alive.
    unsafe {
        if !*BASELINE_KEPT.get() {
            core::ptr::copy_nonoverlapping(VMCB as *const Page, BASELINE.ptr(), 1);
            *BASELINE_KEPT.get() = true;
        }
    }
    BASELINE.ptr() as u64
}

fn log() -> &'static mut Log {
    // SAFETY: callers use it at once and call nothing else that does.
    unsafe { LOG.get() }
}

/// Keeps 8 bytes of RAM. `None` if there is no more room.
pub(crate) fn keep_word(pa: u64) -> Option<()> {
    let log = log();
    let slot = log.words.get_mut(log.word_count)?;
    // SAFETY: a case names RAM only; any bytes are a number.
    *slot = (pa, unsafe { (pa as *const u64).read_unaligned() });
    log.word_count += 1;
    Some(())
}

/// Keeps a page of RAM. `None` if there is no more room.
pub(crate) fn keep_page(pa: u64) -> Option<()> {
    let log = log();
    let slot = log.pages.get_mut(log.page_count)?;
    slot.0 = pa & !0xfff;
    // SAFETY: a case names RAM only.
    unsafe { core::ptr::copy_nonoverlapping(slot.0 as *const Page, &mut slot.1, 1) };
    log.page_count += 1;
    Some(())
}

/// Keeps an MSR, if there is such a one. `None` if there is no more room.
pub(crate) fn keep_msr(msr: u32) -> Option<()> {
    let Some(value) = access_msr(msr, None) else { return Some(()) };
    let log = log();
    *log.msrs.get_mut(log.msr_count)? = (msr, value);
    log.msr_count += 1;
    Some(())
}

/// Notes that VMLOAD state may change.
pub(crate) fn keep_vmload() {
    log().vmload = true;
}

/// Notes that events may be pending or in service when the case ends.
pub(crate) fn events_raised() {
    log().events = true;
}

/// RDMSR, or WRMSR of `value`, as a case would; `None` if it faults.
fn access_msr(msr: u32, value: Option<u64>) -> Option<u64> {
    let mut code = [0; 17];
    code[0] = 0xb9; // MOV ECX, imm32
    code[1..5].copy_from_slice(&msr.to_le_bytes());
    let written = value.unwrap_or(0);
    code[5] = 0xba; // MOV EDX, imm32
    code[6..10].copy_from_slice(&((written >> 32) as u32).to_le_bytes());
    code[10] = 0xb8; // MOV EAX, imm32
    code[11..15].copy_from_slice(&(written as u32).to_le_bytes());
    code[15] = 0x0f;
    code[16] = if value.is_some() { 0x30 } else { 0x32 };
    execute::code(&code, 0);
    // SAFETY: the slot is over; no other reference is alive.
    let context = unsafe { CONTEXT.get() };
    (context.fault == NO_FAULT).then_some(context.gprs[2] << 32 | context.gprs[0] & 0xffff_ffff)
}

/// Puts everything back. Ends the run if it cannot.
pub(crate) fn all() {
    registers();
    msrs();
    cpu::stgi();
    if log().events {
        log().events = false;
        // An NMI that L2 took without an IRET blocks the next, and an interrupt being serviced
        // those of its class and below.
        cpu::unblock_nmi();
        apic::end_all();
        cpu::interrupt_window();
    }
    memory();
    if core::mem::take(&mut log().vmload) {
        // SAFETY: the baseline's TR is L1's.
        unsafe { cpu::vmload(baseline()) };
    }
}

fn registers() {
    // SAFETY: no other reference is alive.
    let context = unsafe { CONTEXT.get() };
    context.rflags = L1_RFLAGS;
    (context.cr0, context.cr4) = (L1_CR0, L1_CR4);
    cpu::restore_cr0(L1_CR0);
    cpu::restore_cr4(L1_CR4);
    cpu::restore_fpu();
    cpu::restore_cr3(L1PT);
    cpu::restore_cr2(0);
    cpu::restore_cr8(0);
    cpu::restore_dr7(0x400);
    cpu::restore_dr6(0xffff_0ff0);
    cpu::restore_dr0(0);
    cpu::restore_dr1(0);
    cpu::restore_dr2(0);
    cpu::restore_dr3(0);
}

fn msrs() {
    while log().msr_count > 0 {
        log().msr_count -= 1;
        let (msr, value) = log().msrs[log().msr_count];
        if access_msr(msr, None) != Some(value) && access_msr(msr, Some(value)).is_none() {
            mailbox::finish(state::SPOILT);
        }
    }
    if cpu::rdmsr(EFER) != L1_EFER {
        cpu::wrmsr(EFER, L1_EFER);
    }
}

fn memory() {
    let log = log();
    // What was kept last may hold what was kept first: newest first.
    for &(pa, word) in log.words[..log.word_count].iter().rev() {
        // SAFETY: this is RAM that the case changed.
        unsafe { (pa as *mut u64).write_unaligned(word) };
    }
    log.word_count = 0;
    for (pa, page) in log.pages[..log.page_count].iter().rev() {
        // SAFETY: as above.
        unsafe { core::ptr::copy_nonoverlapping(page, *pa as *mut Page, 1) };
    }
    log.page_count = 0;
    for (offset, len) in PARTS {
        // SAFETY: both are pages of RAM, and `offset + len` lies in them.
        unsafe {
            let from = (BASELINE.ptr() as *const u64).byte_add(offset as usize);
            core::ptr::copy_nonoverlapping(from, (VMCB + offset) as *mut u64, len / 8);
        }
    }
}
