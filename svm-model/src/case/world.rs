//! Where things are in the world that cases run in.
//!
//! Guest-physical and L2-physical addresses are equal unless a case changes the
//! nested tables. L1 runs in 64-bit mode, identity-mapped. L2's baseline is
//! 64-bit mode, CPL 0, identity-mapped with 4 KiB pages in the window that
//! [`DATA`] starts, nested paging on where the CPU has it.

/// The VMCB that VMRUN normally uses.
pub const VMCB: u64 = 0x80_0000;
/// A second VMCB, for VMLOAD and VMSAVE.
pub const VMCB2: u64 = 0x80_1000;
/// Host save area (VM_HSAVE_PA).
pub const HSAVE: u64 = 0x80_4000;
/// I/O permission map, three pages.
pub const IOPM: u64 = 0x81_0000;
/// MSR permission map, two pages.
pub const MSRPM: u64 = 0x82_0000;
/// Nested PML4; the tables that the baseline uses follow it, see [`npt`].
pub const NPT: u64 = 0x84_0000;
/// L2's PML4; the tables that the baseline uses follow it, see [`l2pt`].
pub const L2PT: u64 = 0x88_0000;
/// First instruction of L2's program.
pub const L2_CODE: u64 = 0x90_0000;
/// Top of L2's stack.
pub const L2_STACK: u64 = 0x91_8000;
/// L2's GDT.
pub const L2_GDT: u64 = 0x92_0000;
/// L2's IDT: every vector leads to a stub that logs and leaves through VMMCALL.
pub const L2_IDT: u64 = 0x92_1000;
/// L2's TSS.
pub const L2_TSS: u64 = 0x92_3000;
/// What L2's exception stubs log: count, then vector, error code, RIP each.
pub const L2_LOG: u64 = 0x93_0000;
/// A 2 MiB window mapped with 4 KiB pages in both tables, free for cases.
pub const DATA: u64 = 0xa0_0000;

/// Baseline nested tables: one PML4 entry, one PDPT, one PD of 2 MiB pages,
/// and a PT for the window at [`DATA`].
pub mod npt {
    /// PML4.
    pub const PML4: u64 = super::NPT;
    /// PDPT of the first 512 GiB.
    pub const PDPT: u64 = super::NPT + 0x1000;
    /// PD of the first GiB.
    pub const PD: u64 = super::NPT + 0x2000;
    /// PT of the window at [`super::DATA`].
    pub const PT: u64 = super::NPT + 0x3000;
}

/// Baseline L2 tables, of the same shape as [`npt`].
pub mod l2pt {
    /// PML4.
    pub const PML4: u64 = super::L2PT;
    /// PDPT of the first 512 GiB.
    pub const PDPT: u64 = super::L2PT + 0x1000;
    /// PD of the first GiB.
    pub const PD: u64 = super::L2PT + 0x2000;
    /// PT of the window at [`super::DATA`].
    pub const PT: u64 = super::L2PT + 0x3000;
}
