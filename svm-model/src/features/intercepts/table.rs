//! The instruction intercepts: which bit, which exit code, which rule (15.9).

use crate::arch::intercept::Bit;
use crate::arch::{exit, intercept};
use crate::rules::{RuleId, idle_hlt, intercepts};

/// One intercept bit and the exit it leads to.
#[derive(Clone, Copy)]
pub(crate) struct Intercept {
    pub(crate) bit: Bit,
    pub(crate) code: u64,
    pub(crate) rule: RuleId,
}

const fn insn(bit: Bit, code: u64, rule: RuleId) -> Intercept {
    Intercept { bit, code, rule }
}

pub(crate) const SIDT: Intercept = insn(intercept::SIDT, exit::IDTR_READ, intercepts::SIDT);
pub(crate) const SGDT: Intercept = insn(intercept::SGDT, exit::IDTR_READ + 1, intercepts::SGDT);
pub(crate) const SLDT: Intercept = insn(intercept::SLDT, exit::IDTR_READ + 2, intercepts::SLDT);
pub(crate) const STR: Intercept = insn(intercept::STR, exit::IDTR_READ + 3, intercepts::STR);
pub(crate) const LIDT: Intercept = insn(intercept::LIDT, exit::IDTR_READ + 4, intercepts::LIDT);
pub(crate) const LGDT: Intercept = insn(intercept::LGDT, exit::IDTR_READ + 5, intercepts::LGDT);
pub(crate) const LLDT: Intercept = insn(intercept::LLDT, exit::IDTR_READ + 6, intercepts::LLDT);
pub(crate) const LTR: Intercept = insn(intercept::LTR, exit::IDTR_READ + 7, intercepts::LTR);
pub(crate) const RDTSC: Intercept = insn(intercept::RDTSC, exit::RDTSC, intercepts::RDTSC);
pub(crate) const RDPMC: Intercept = insn(intercept::RDPMC, exit::RDPMC, intercepts::RDPMC);
pub(crate) const PUSHF: Intercept = insn(intercept::PUSHF, exit::PUSHF, intercepts::PUSHF);
pub(crate) const POPF: Intercept = insn(intercept::POPF, exit::POPF, intercepts::POPF);
pub(crate) const CPUID: Intercept = insn(intercept::CPUID, exit::CPUID, intercepts::CPUID);
pub(crate) const RSM: Intercept = insn(intercept::RSM, exit::RSM, intercepts::RSM);
pub(crate) const IRET: Intercept = insn(intercept::IRET, exit::IRET, intercepts::IRET);
pub(crate) const SWINT: Intercept = insn(intercept::SWINT, exit::SWINT, intercepts::SWINT);
pub(crate) const INVD: Intercept = insn(intercept::INVD, exit::INVD, intercepts::INVD);
pub(crate) const PAUSE: Intercept = insn(intercept::PAUSE, exit::PAUSE, intercepts::PAUSE);
pub(crate) const HLT: Intercept = insn(intercept::HLT, exit::HLT, intercepts::HLT);
pub(crate) const INVLPG: Intercept = insn(intercept::INVLPG, exit::INVLPG, intercepts::INVLPG);
pub(crate) const INVLPGA: Intercept = insn(intercept::INVLPGA, exit::INVLPGA, intercepts::INVLPGA);
pub(crate) const VMRUN: Intercept = insn(intercept::VMRUN, exit::VMRUN, intercepts::VMRUN);
pub(crate) const VMMCALL: Intercept = insn(intercept::VMMCALL, exit::VMMCALL, intercepts::VMMCALL);
pub(crate) const VMLOAD: Intercept = insn(intercept::VMLOAD, exit::VMLOAD, intercepts::VMLOAD);
pub(crate) const VMSAVE: Intercept = insn(intercept::VMSAVE, exit::VMSAVE, intercepts::VMSAVE);
pub(crate) const STGI: Intercept = insn(intercept::STGI, exit::STGI, intercepts::STGI);
pub(crate) const CLGI: Intercept = insn(intercept::CLGI, exit::CLGI, intercepts::CLGI);
pub(crate) const SKINIT: Intercept = insn(intercept::SKINIT, exit::SKINIT, intercepts::SKINIT);
pub(crate) const RDTSCP: Intercept = insn(intercept::RDTSCP, exit::RDTSCP, intercepts::RDTSCP);
pub(crate) const ICEBP: Intercept = insn(intercept::ICEBP, exit::ICEBP, intercepts::ICEBP);
pub(crate) const WBINVD: Intercept = insn(intercept::WBINVD, exit::WBINVD, intercepts::WBINVD);
pub(crate) const MONITOR: Intercept = insn(intercept::MONITOR, exit::MONITOR, intercepts::MONITOR);
pub(crate) const MWAIT: Intercept = insn(intercept::MWAIT, exit::MWAIT, intercepts::MWAIT);
pub(crate) const XSETBV: Intercept = insn(intercept::XSETBV, exit::XSETBV, intercepts::XSETBV);
pub(crate) const RDPRU: Intercept = insn(intercept::RDPRU, exit::RDPRU, intercepts::RDPRU);
pub(crate) const INVLPGB: Intercept = insn(intercept::INVLPGB, exit::INVLPGB, intercepts::INVLPGB);
pub(crate) const INVPCID: Intercept = insn(intercept::INVPCID, exit::INVPCID, intercepts::INVPCID);
pub(crate) const TLBSYNC: Intercept = insn(intercept::TLBSYNC, exit::TLBSYNC, intercepts::TLBSYNC);
pub(crate) const IDLE_HLT: Intercept = insn(intercept::IDLE_HLT, exit::IDLE_HLT, idle_hlt::EXIT);
