//! Bits of the system registers (APM vol. 2, 3.1), and RFLAGS (3.1.6).
//!
//! This file stands alone, so that programs which cannot have the crate share it.

/// CR0 (APM vol. 2, 3.1.1).
pub mod cr0 {
    /// Protected mode.
    pub const PE: u64 = 1;
    /// Monitor coprocessor.
    pub const MP: u64 = 1 << 1;
    /// Emulation: x87 instructions raise #NM.
    pub const EM: u64 = 1 << 2;
    /// Task switched.
    pub const TS: u64 = 1 << 3;
    /// Extension type: always set.
    pub const ET: u64 = 1 << 4;
    /// Numeric error.
    pub const NE: u64 = 1 << 5;
    /// Write protect.
    pub const WP: u64 = 1 << 16;
    /// Alignment mask.
    pub const AM: u64 = 1 << 18;
    /// Not write-through.
    pub const NW: u64 = 1 << 29;
    /// Cache disable.
    pub const CD: u64 = 1 << 30;
    /// Paging.
    pub const PG: u64 = 1 << 31;
    /// Bits that software can write.
    pub const WRITABLE: u64 = PG | CD | NW | AM | WP | NE | ET | TS | EM | MP | PE;
}

/// CR4 (APM vol. 2, 3.1.3).
pub mod cr4 {
    /// Time-stamp disable.
    pub const TSD: u64 = 1 << 2;
    /// Debugging extensions.
    pub const DE: u64 = 1 << 3;
    /// Page-size extensions.
    pub const PSE: u64 = 1 << 4;
    /// Physical-address extensions.
    pub const PAE: u64 = 1 << 5;
    /// Machine-check exceptions.
    pub const MCE: u64 = 1 << 6;
    /// Page-global enable.
    pub const PGE: u64 = 1 << 7;
    /// Performance-counter enable.
    pub const PCE: u64 = 1 << 8;
    /// FXSAVE and FXRSTOR.
    pub const OSFXSR: u64 = 1 << 9;
    /// Unmasked SIMD exceptions.
    pub const OSXMMEXCPT: u64 = 1 << 10;
    /// User-mode instruction prevention.
    pub const UMIP: u64 = 1 << 11;
    /// Five levels of page tables.
    pub const LA57: u64 = 1 << 12;
    /// RDFSBASE and its siblings.
    pub const FSGSBASE: u64 = 1 << 16;
    /// Process-context identifiers.
    pub const PCIDE: u64 = 1 << 17;
    /// XSAVE and its siblings.
    pub const OSXSAVE: u64 = 1 << 18;
    /// Supervisor-mode execution prevention.
    pub const SMEP: u64 = 1 << 20;
    /// Supervisor-mode access prevention.
    pub const SMAP: u64 = 1 << 21;
    /// Protection keys.
    pub const PKE: u64 = 1 << 22;
    /// Control-flow enforcement: shadow stacks.
    pub const CET: u64 = 1 << 23;
    /// Protection keys of supervisor pages.
    pub const PKS: u64 = 1 << 24;
}

/// EFER (APM vol. 2, 3.1.7).
pub mod efer {
    /// SYSCALL enable.
    pub const SCE: u64 = 1;
    /// Bits that read as zero, whatever is written.
    pub const RAZ: u64 = 0xfe;
    /// Long mode enable.
    pub const LME: u64 = 1 << 8;
    /// Long mode active.
    pub const LMA: u64 = 1 << 10;
    /// No-execute enable.
    pub const NXE: u64 = 1 << 11;
    /// SVM enable.
    pub const SVME: u64 = 1 << 12;
    /// Long mode segment limit enable.
    pub const LMSLE: u64 = 1 << 13;
    /// Fast FXSAVE and FXRSTOR.
    pub const FFXSR: u64 = 1 << 14;
    /// Translation cache extension.
    pub const TCE: u64 = 1 << 15;
    /// Automatic IBRS.
    pub const AIBRSE: u64 = 1 << 21;
}

/// RFLAGS (APM vol. 2, 3.1.6).
pub mod flag {
    /// Always set.
    pub const FIXED: u64 = 1 << 1;
    /// Carry.
    pub const CF: u64 = 1;
    /// Parity.
    pub const PF: u64 = 1 << 2;
    /// Auxiliary carry.
    pub const AF: u64 = 1 << 4;
    /// Zero.
    pub const ZF: u64 = 1 << 6;
    /// Trap: single step.
    pub const TF: u64 = 1 << 8;
    /// Interrupts.
    pub const IF: u64 = 1 << 9;
    /// Overflow.
    pub const OF: u64 = 1 << 11;
    /// I/O privilege level, two bits.
    pub const IOPL: u64 = 3 << 12;
    /// Nested task.
    pub const NT: u64 = 1 << 14;
    /// Resume.
    pub const RF: u64 = 1 << 16;
    /// Virtual-8086 mode.
    pub const VM: u64 = 1 << 17;
    /// Alignment check, or access control.
    pub const AC: u64 = 1 << 18;
    /// Virtual interrupt flag.
    pub const VIF: u64 = 1 << 19;
    /// Virtual interrupt pending.
    pub const VIP: u64 = 1 << 20;
    /// Bits that exist.
    pub const ALL: u64 = 0x3f_7fd7;
}

/// DebugCtl (APM vol. 2, 13.1.1.6).
pub mod debugctl {
    /// Last-branch record.
    pub const LBR: u64 = 1;
    /// Branch single step.
    pub const BTF: u64 = 1 << 1;
}

/// DR6 and DR7 (APM vol. 2, 13.1.1).
pub mod dr {
    /// Bits of DR6 that are always set.
    pub const DR6_ONES: u64 = 0xffff_0ff0;
    /// The bit of DR6's low half that is always clear.
    pub const DR6_ZEROS: u64 = 0x1000;
    /// Breakpoint 0 was met.
    pub const DR6_B0: u64 = 1;
    /// The bits of all four breakpoints.
    pub const DR6_B: u64 = 0xf;
    /// Debug register access detected.
    pub const DR6_BD: u64 = 1 << 13;
    /// Single step.
    pub const DR6_BS: u64 = 1 << 14;
    /// Task switch.
    pub const DR6_BT: u64 = 1 << 15;
    /// The bit of DR7 that is always set.
    pub const DR7_ONES: u64 = 0x400;
    /// Bits of DR7's low half that are always clear.
    pub const DR7_ZEROS: u64 = 0xd800;
    /// General detect.
    pub const DR7_GD: u64 = 1 << 13;
}
