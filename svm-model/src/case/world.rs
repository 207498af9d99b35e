//! Where things are in the world that cases run in.
//!
//! Guest-physical and L2-physical addresses are equal unless a case changes the
//! nested tables. RAM that is not said to hold anything
//! is zero. L1 runs in 64-bit mode, identity-mapped. L2's baseline is 64-bit mode, CPL 0, identity-mapped with 4 KiB pages in the window that
//! [`DATA`] starts, nested paging on where the CPU has it.

pub use super::layout::*;
use crate::vmcb::Field;

/// Selector of L2's 64-bit code segment, CPL 0.
pub const L2_CS: u16 = 0x08;
/// Selector of L2's data segment, CPL 0.
pub const L2_DS: u16 = 0x10;
/// Selector of the TSS.
pub const L2_TR: u16 = 0x18;
/// Selector of L2's 64-bit code segment for CPL 3.
pub const L2_USER_CS: u16 = 0x2b;
/// Selector of L2's data segment for CPL 3.
pub const L2_USER_DS: u16 = 0x33;

/// The PAT at reset, which both worlds have.
pub const PAT: u64 = 0x0007_0406_0007_0406;

/// The VMCB at the start of a case, where it is not zero. Without nested paging
/// `nested_ctl` and `n_cr3` are zero.
pub const BASELINE: &[(Field, u64)] = &[
    (Field::INTERCEPT_MISC1, 1 << 31), // SHUTDOWN
    (Field::INTERCEPT_MISC2, 0b11),    // VMRUN, VMMCALL
    (Field::IOPM_BASE_PA, IOPM),
    (Field::MSRPM_BASE_PA, MSRPM),
    (Field::GUEST_ASID, 1),
    (Field::TLB_CONTROL, 1), // cases change tables, so each run flushes
    (Field::NESTED_CTL, 1),
    (Field::N_CR3, NPT),
    (Field::ES_SELECTOR, L2_DS as u64),
    (Field::ES_ATTRIB, 0xc93),
    (Field::ES_LIMIT, 0xffff_ffff),
    (Field::CS_SELECTOR, L2_CS as u64),
    (Field::CS_ATTRIB, 0xa9b),
    (Field::CS_LIMIT, 0xffff_ffff),
    (Field::SS_SELECTOR, L2_DS as u64),
    (Field::SS_ATTRIB, 0xc93),
    (Field::SS_LIMIT, 0xffff_ffff),
    (Field::DS_SELECTOR, L2_DS as u64),
    (Field::DS_ATTRIB, 0xc93),
    (Field::DS_LIMIT, 0xffff_ffff),
    (Field::FS_SELECTOR, L2_DS as u64),
    (Field::FS_ATTRIB, 0xc93),
    (Field::FS_LIMIT, 0xffff_ffff),
    (Field::GS_SELECTOR, L2_DS as u64),
    (Field::GS_ATTRIB, 0xc93),
    (Field::GS_LIMIT, 0xffff_ffff),
    (Field::GDTR_LIMIT, 0x3f),
    (Field::GDTR_BASE, L2_GDT),
    (Field::LDTR_ATTRIB, 0x82),
    (Field::IDTR_LIMIT, 0xfff),
    (Field::IDTR_BASE, L2_IDT),
    (Field::TR_SELECTOR, L2_TR as u64),
    (Field::TR_ATTRIB, 0x8b),
    (Field::TR_LIMIT, 0x67),
    (Field::TR_BASE, L2_TSS),
    (Field::EFER, 0x1d00),
    (Field::CR4, 0x20),
    (Field::CR3, L2PT),
    (Field::CR0, 0x8001_0033),
    (Field::DR7, 0x400),
    (Field::DR6, 0xffff_0ff0),
    (Field::RFLAGS, 0x2),
    (Field::RIP, L2_CODE),
    (Field::RSP, L2_STACK),
    (Field::G_PAT, PAT),
];

/// The RAM that a case may name; behind it lies what is said between harness and guest.
pub const RAM: core::ops::Range<u64> = VMCB..super::wire::MAILBOX;

/// What L1 stands on: its page tables, descriptor tables and stack.
const L1: core::ops::Range<u64> = L1PT..L1PT + 0x1_0000;

/// Whether a case may change what is at `pa` without the guest losing its footing.
pub fn is_free(pa: u64) -> bool {
    RAM.contains(&pa) && !L1.contains(&pa)
}

/// Whether what is at `pa` at the start of a case is the same on every executor.
pub fn is_known(pa: u64) -> bool {
    is_free(pa) && pa & !0xfff != HSAVE
}

/// L2's GDT, by quadword: null, code, data, TSS (two), user code, user data, spare.
pub const GDT: [u64; 8] = [
    0,
    0x00af_9b00_0000_ffff,
    0x00cf_9300_0000_ffff,
    0x0000_8b00_0000_0067 | (L2_TSS & 0xff_ffff) << 16,
    0,
    0x00af_fb00_0000_ffff,
    0x00cf_f300_0000_ffff,
    0,
];

/// The quadword at `pa` in the baseline page tables ([`npt`] and [`l2pt`]), or
/// `None` outside them. Leaves have A and D set, so that a walk changes nothing.
#[inline]
pub fn table_entry(pa: u64) -> Option<u64> {
    let (root, offset) = match pa {
        NPT..0x84_4000 => (NPT, pa - NPT),
        L2PT..0x88_4000 => (L2PT, pa - L2PT),
        _ => return None,
    };
    let n = offset % 0x1000 / 8;
    Some(match (offset / 0x1000, n) {
        (0 | 1, 0) => (root + offset + 0x1000) | 0x27,
        (0 | 1, _) => 0,
        (2, 5) => (root + 0x3000) | 0x27,
        (2, _) => n << 21 | 0xe7,
        _ => (DATA + n * 0x1000) | 0x67,
    })
}

/// The quadword at `pa` (aligned) at the start of a case, as far as L2 can see
/// it: page tables, GDT, IDT, TSS and the operands of LIDT and LGDT; zero
/// elsewhere. Gates are interrupt gates of DPL 3 to [`L2_STUBS`]. The VMCBs,
/// the program and the stubs' code are not part of it.
pub fn initial_word(pa: u64) -> u64 {
    // Page tables are read most.
    if let Some(entry) = table_entry(pa) {
        return entry;
    }
    match pa {
        L2_GDT..0x92_0040 => GDT[(pa - L2_GDT) as usize / 8],
        L2_IDT..0x92_2000 => idt_word(pa - L2_IDT),
        // RSP0 is at byte 4.
        L2_TSS => L2_STACK << 32,
        SCRATCH_IDTR => L2_IDT << 16 | 0xfff,
        SCRATCH_GDTR => L2_GDT << 16 | 0x3f,
        _ => 0,
    }
}

fn idt_word(offset: u64) -> u64 {
    let stub = L2_STUBS + offset / 16 * 32;
    match offset % 16 {
        0 => stub & 0xffff | u64::from(L2_CS) << 16 | 0xee << 40 | (stub & 0xffff_0000) << 32,
        _ => stub >> 32,
    }
}
