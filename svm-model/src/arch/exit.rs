//! Exit codes (APM vol. 2, appendix C).
//!
//! This file stands alone, so that programs which cannot have the crate share it.

/// VMEXIT_INVALID: VMRUN refused the guest state.
pub const INVALID: u64 = u64::MAX;
/// Read of CR0; CRn is `CR_READ + n`.
pub const CR_READ: u64 = 0x00;
/// Write of CR0; CRn is `CR_WRITE + n`.
pub const CR_WRITE: u64 = 0x10;
/// Read of DR0; DRn is `DR_READ + n`.
pub const DR_READ: u64 = 0x20;
/// Write of DR0; DRn is `DR_WRITE + n`.
pub const DR_WRITE: u64 = 0x30;
/// Exception vector 0; vector n is `EXCP + n`.
pub const EXCP: u64 = 0x40;
/// Physical maskable interrupt.
pub const INTR: u64 = 0x60;
/// Physical NMI.
pub const NMI: u64 = 0x61;
/// Physical SMI.
pub const SMI: u64 = 0x62;
/// Physical INIT.
pub const INIT: u64 = 0x63;
/// Virtual interrupt about to be taken.
pub const VINTR: u64 = 0x64;
/// Selective CR0 write.
pub const CR0_SEL_WRITE: u64 = 0x65;
/// SIDT; then SGDT, SLDT, STR, LIDT, LGDT, LLDT, LTR in order.
pub const IDTR_READ: u64 = 0x66;
/// RDTSC.
pub const RDTSC: u64 = 0x6e;
/// RDPMC.
pub const RDPMC: u64 = 0x6f;
/// PUSHF.
pub const PUSHF: u64 = 0x70;
/// POPF.
pub const POPF: u64 = 0x71;
/// CPUID.
pub const CPUID: u64 = 0x72;
/// RSM.
pub const RSM: u64 = 0x73;
/// IRET.
pub const IRET: u64 = 0x74;
/// INTn.
pub const SWINT: u64 = 0x75;
/// INVD.
pub const INVD: u64 = 0x76;
/// PAUSE.
pub const PAUSE: u64 = 0x77;
/// HLT.
pub const HLT: u64 = 0x78;
/// INVLPG.
pub const INVLPG: u64 = 0x79;
/// INVLPGA.
pub const INVLPGA: u64 = 0x7a;
/// IN, OUT and their string forms.
pub const IOIO: u64 = 0x7b;
/// RDMSR, WRMSR.
pub const MSR: u64 = 0x7c;
/// Task switch.
pub const TASK_SWITCH: u64 = 0x7d;
/// FERR freeze.
pub const FERR_FREEZE: u64 = 0x7e;
/// Shutdown.
pub const SHUTDOWN: u64 = 0x7f;
/// VMRUN.
pub const VMRUN: u64 = 0x80;
/// VMMCALL.
pub const VMMCALL: u64 = 0x81;
/// VMLOAD.
pub const VMLOAD: u64 = 0x82;
/// VMSAVE.
pub const VMSAVE: u64 = 0x83;
/// STGI.
pub const STGI: u64 = 0x84;
/// CLGI.
pub const CLGI: u64 = 0x85;
/// SKINIT.
pub const SKINIT: u64 = 0x86;
/// RDTSCP.
pub const RDTSCP: u64 = 0x87;
/// INT1 (ICEBP).
pub const ICEBP: u64 = 0x88;
/// WBINVD, WBNOINVD.
pub const WBINVD: u64 = 0x89;
/// MONITOR, MONITORX.
pub const MONITOR: u64 = 0x8a;
/// MWAIT, MWAITX.
pub const MWAIT: u64 = 0x8b;
/// MWAIT with the monitor armed.
pub const MWAIT_ARMED: u64 = 0x8c;
/// XSETBV.
pub const XSETBV: u64 = 0x8d;
/// RDPRU.
pub const RDPRU: u64 = 0x8e;
/// Trap after a write of EFER.
pub const EFER_WRITE_TRAP: u64 = 0x8f;
/// Trap after a write of CR0; CRn is `CR_WRITE_TRAP + n`.
pub const CR_WRITE_TRAP: u64 = 0x90;
/// INVLPGB.
pub const INVLPGB: u64 = 0xa0;
/// INVPCID.
pub const INVPCID: u64 = 0xa2;
/// MCOMMIT.
pub const MCOMMIT: u64 = 0xa3;
/// TLBSYNC.
pub const TLBSYNC: u64 = 0xa4;
/// A bus lock with the threshold's count at zero.
pub const BUSLOCK: u64 = 0xa5;
/// HLT with nothing pending (idle-HLT intercept).
pub const IDLE_HLT: u64 = 0xa6;
/// Nested page fault.
pub const NPF: u64 = 0x400;
