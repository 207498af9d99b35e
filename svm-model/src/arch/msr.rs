//! Numbers of model-specific registers (APM vol. 2, appendix A).
//!
//! This file stands alone, so that programs which cannot have the crate share it.

/// TSC: the time-stamp counter.
pub const TSC: u32 = 0x10;
/// TSC_ADJUST.
pub const TSC_ADJUST: u32 = 0x3b;
/// SPEC_CTRL.
pub const SPEC_CTRL: u32 = 0x48;
/// SYSENTER_CS.
pub const SYSENTER_CS: u32 = 0x174;
/// SYSENTER_ESP.
pub const SYSENTER_ESP: u32 = 0x175;
/// SYSENTER_EIP.
pub const SYSENTER_EIP: u32 = 0x176;
/// DEBUGCTL.
pub const DEBUGCTL: u32 = 0x1d9;
/// LastBranchFromIP.
pub const BR_FROM: u32 = 0x1db;
/// LastBranchToIP.
pub const BR_TO: u32 = 0x1dc;
/// LastIntFromIP.
pub const EXCP_FROM: u32 = 0x1dd;
/// LastIntToIP.
pub const EXCP_TO: u32 = 0x1de;
/// PAT: memory types of pages.
pub const PAT: u32 = 0x277;
/// EFER.
pub const EFER: u32 = 0xc000_0080;
/// STAR.
pub const STAR: u32 = 0xc000_0081;
/// LSTAR.
pub const LSTAR: u32 = 0xc000_0082;
/// CSTAR.
pub const CSTAR: u32 = 0xc000_0083;
/// SFMASK.
pub const SFMASK: u32 = 0xc000_0084;
/// FS.base.
pub const FS_BASE: u32 = 0xc000_0100;
/// GS.base.
pub const GS_BASE: u32 = 0xc000_0101;
/// KernelGSbase.
pub const KERNEL_GS_BASE: u32 = 0xc000_0102;
/// TSC_AUX.
pub const TSC_AUX: u32 = 0xc000_0103;
/// TSC_RATIO (15.30.5).
pub const TSC_RATIO: u32 = 0xc000_0104;
/// VM_CR (15.30.1).
pub const VM_CR: u32 = 0xc001_0114;
/// IGNNE (15.30.2).
pub const IGNNE: u32 = 0xc001_0115;
/// SMM_CTL (15.30.3).
pub const SMM_CTL: u32 = 0xc001_0116;
/// VM_HSAVE_PA (15.30.4).
pub const VM_HSAVE_PA: u32 = 0xc001_0117;
/// SVM_KEY (15.31).
pub const SVM_KEY: u32 = 0xc001_0118;

/// VM_CR's bits (15.30.1).
pub mod vm_cr {
    /// DPD: external debug ports disabled.
    pub const DPD: u64 = 1;
    /// R_INIT: an INIT becomes #SX.
    pub const R_INIT: u64 = 1 << 1;
    /// DIS_A20M: A20 masking disabled.
    pub const DIS_A20M: u64 = 1 << 2;
    /// LOCK.
    pub const LOCK: u64 = 1 << 3;
    /// SVMDIS: EFER.SVME cannot be set.
    pub const SVMDIS: u64 = 1 << 4;
    /// Bits that are reserved.
    pub const RESERVED: u64 = !0x1f;
}
