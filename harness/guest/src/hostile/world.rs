//! The world that each attempt starts from, and putting it back.

use crate::layout::{DATA, HSAVE, IOPM, L2_GDT, L2PT, MSRPM, NPT, VMCB};
use crate::{cpu, mailbox};

/// Where copies are kept.
const COPIES: u64 = 0x200_0000;
/// Attempts between two times that everything is put back.
const SELDOM: u64 = 512;

/// What is put back: from, bytes.
const AREAS: [(u64, u64); 5] =
    [(NPT, 0x6000), (L2PT, 0x6000), (L2_GDT, 0x7000), (IOPM, 0x3000), (MSRPM, 0x2000)];
/// The parts of the VMCB that it has.
const VMCB_SIZE: u64 = 0x800;

/// Keeps copies of what the harness has made.
pub(crate) fn keep() {
    each(|from, copy, len| copy_words(copy, from, len));
    copy_words(vmcb_copy(), VMCB, 0x1000);
    copy_words(own_vmcb(), VMCB, 0x1000);
}

/// Puts everything back.
pub(crate) fn restore() {
    each(copy_words);
    vmcb();
    cpu::wrmsr(cpu::VM_HSAVE_PA, HSAVE);
}

/// Puts back what each attempt changes, and now and then what L2 may have written; `moved` says
/// whether the save area is elsewhere.
pub(crate) fn tidy(n: u64, moved: bool) {
    if n % SELDOM == 0 {
        restore();
        return;
    }
    if moved {
        cpu::wrmsr(cpu::VM_HSAVE_PA, HSAVE);
    }
    vmcb();
}

/// The copy of the VMCB.
fn vmcb_copy() -> u64 {
    COPIES + 0x10_0000
}

/// A VMCB with what VMLOAD gives L1.
pub(crate) fn own_vmcb() -> u64 {
    COPIES + 0x10_1000
}

fn vmcb() {
    copy_words(VMCB, vmcb_copy(), VMCB_SIZE);
}

fn each(mut f: impl FnMut(u64, u64, u64)) {
    let mut copy = COPIES;
    for (from, len) in AREAS {
        f(from, copy, len);
        copy += len;
    }
}

fn copy_words(to: u64, from: u64, len: u64) {
    // SAFETY: both are RAM that nothing holds a reference to.
    unsafe { core::ptr::copy_nonoverlapping(from as *const u64, to as *mut u64, len as usize / 8) };
}

/// An address in the window that is free for L2.
pub(crate) fn window(number: u64) -> u64 {
    DATA + (number & 0x1f_ffff)
}

/// Counts one more VMRUN.
pub(crate) fn count_vmrun() {
    let before = mailbox::get(crate::protocol::header::VMRUNS);
    mailbox::set_checked(crate::protocol::header::VMRUNS, before + 1);
}
