//! Addresses and register constants of the world, and nothing else, so that the
//! guest can share this file without the rest of the crate.

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
/// L1's PML4. L1's tables lie below [`VMCB`] or from here on; all is identity-mapped.
pub const L1PT: u64 = 0x8c_0000;
/// Top of L2's stack.
pub const L2_STACK: u64 = 0x91_8000;
/// L2's GDT.
pub const L2_GDT: u64 = 0x92_0000;
/// L2's IDT: every vector leads to a stub that logs and leaves through VMMCALL.
pub const L2_IDT: u64 = 0x92_1000;
/// The TSS of both worlds (VMRUN does not load TR); its RSP0 is [`L2_STACK`].
pub const L2_TSS: u64 = 0x92_3000;
/// L2's stub for vector `v` is at `L2_STUBS + 32 * v`. A stub logs, and leaves
/// every register, the flags and the stack as delivery left them (an error code
/// stays on the stack), then jumps to [`L2_STUB_EXIT`].
pub const L2_STUBS: u64 = 0x92_4000;
/// The VMMCALL that every stub ends in.
pub const L2_STUB_EXIT: u64 = 0x92_6000;
/// What L2's exception stubs log: count, then vector, error code, RIP each (quadwords).
pub const L2_LOG: u64 = 0x93_0000;
/// What the table-storing instructions of a program (SIDT, SGDT) write to.
pub const SCRATCH: u64 = 0x93_8000;
/// What LIDT in a program reads: the limit and base of L2's own IDT.
pub const SCRATCH_IDTR: u64 = SCRATCH + 0x10;
/// What LGDT in a program reads: the limit and base of L2's own GDT.
pub const SCRATCH_GDTR: u64 = SCRATCH + 0x20;
/// L1's GDT, with the entries of L2's.
pub const L1_GDT: u64 = L1PT + 0x4000;
/// L1's IDT.
pub const L1_IDT: u64 = L1PT + 0x5000;
/// RSP of L1 while it executes a step's instruction.
pub const L1_STACK: u64 = L1PT + 0xf000;
/// A 2 MiB window mapped with 4 KiB pages in both tables, free for cases.
pub const DATA: u64 = 0xa0_0000;

/// L1's CR0 at the start of a case: PG, WP, NE, ET, MP, PE.
pub const L1_CR0: u64 = 0x8001_0033;
/// L1's CR4 at the start of a case: OSXMMEXCPT, OSFXSR, PAE. L2's has PAE alone,
/// so that a #VMEXIT that forgets CR4 shows.
pub const L1_CR4: u64 = 0x620;
/// L1's EFER at the start of a case: SVME, NXE, LMA, LME.
pub const L1_EFER: u64 = 0x1d00;
/// L1's RFLAGS at the start of a case: only the bit that is always set.
pub const L1_RFLAGS: u64 = 0x2;

/// A general-purpose register as it is before every VMRUN and every L1
/// instruction, save RAX (the step's own) and RSP ([`L1_STACK`]): an address in
/// the [`DATA`] window that tells the register.
pub const fn gpr(number: u8) -> u64 {
    DATA + 0x1_0000 * number as u64
}

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
