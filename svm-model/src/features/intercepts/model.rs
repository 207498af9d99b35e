//! The instruction intercepts: which bit, which exit code, which rule (15.9).

use crate::arch::{intercept::{self as bit, Bit}};
use crate::features::vmexit::model::{NextRip, Reason};
use crate::machine::{Flow, Machine};
use crate::rules::{RuleId, idle_hlt, intercepts as r};
use crate::vmcb::{Field, exit};

/// One intercept bit and the exit it leads to.
#[derive(Clone, Copy)]
pub(crate) struct Intercept {
    bit: Bit,
    code: u64,
    rule: RuleId,
}

const fn insn(bit: Bit, code: u64, rule: RuleId) -> Intercept {
    Intercept { bit, code, rule }
}

pub(crate) const SIDT: Intercept = insn(bit::SIDT, exit::IDTR_READ, r::SIDT);
pub(crate) const SGDT: Intercept = insn(bit::SGDT, exit::IDTR_READ + 1, r::SGDT);
pub(crate) const SLDT: Intercept = insn(bit::SLDT, exit::IDTR_READ + 2, r::SLDT);
pub(crate) const STR: Intercept = insn(bit::STR, exit::IDTR_READ + 3, r::STR);
pub(crate) const LIDT: Intercept = insn(bit::LIDT, exit::IDTR_READ + 4, r::LIDT);
pub(crate) const LGDT: Intercept = insn(bit::LGDT, exit::IDTR_READ + 5, r::LGDT);
pub(crate) const LLDT: Intercept = insn(bit::LLDT, exit::IDTR_READ + 6, r::LLDT);
pub(crate) const LTR: Intercept = insn(bit::LTR, exit::IDTR_READ + 7, r::LTR);
pub(crate) const RDTSC: Intercept = insn(bit::RDTSC, exit::RDTSC, r::RDTSC);
pub(crate) const RDPMC: Intercept = insn(bit::RDPMC, exit::RDPMC, r::RDPMC);
pub(crate) const PUSHF: Intercept = insn(bit::PUSHF, exit::PUSHF, r::PUSHF);
pub(crate) const POPF: Intercept = insn(bit::POPF, exit::POPF, r::POPF);
pub(crate) const CPUID: Intercept = insn(bit::CPUID, exit::CPUID, r::CPUID);
pub(crate) const RSM: Intercept = insn(bit::RSM, exit::RSM, r::RSM);
pub(crate) const IRET: Intercept = insn(bit::IRET, exit::IRET, r::IRET);
pub(crate) const SWINT: Intercept = insn(bit::SWINT, exit::SWINT, r::SWINT);
pub(crate) const INVD: Intercept = insn(bit::INVD, exit::INVD, r::INVD);
pub(crate) const PAUSE: Intercept = insn(bit::PAUSE, exit::PAUSE, r::PAUSE);
pub(crate) const HLT: Intercept = insn(bit::HLT, exit::HLT, r::HLT);
pub(crate) const INVLPG: Intercept = insn(bit::INVLPG, exit::INVLPG, r::INVLPG);
pub(crate) const INVLPGA: Intercept = insn(bit::INVLPGA, exit::INVLPGA, r::INVLPGA);
pub(crate) const VMRUN: Intercept = insn(bit::VMRUN, exit::VMRUN, r::VMRUN);
pub(crate) const VMMCALL: Intercept = insn(bit::VMMCALL, exit::VMMCALL, r::VMMCALL);
pub(crate) const VMLOAD: Intercept = insn(bit::VMLOAD, exit::VMLOAD, r::VMLOAD);
pub(crate) const VMSAVE: Intercept = insn(bit::VMSAVE, exit::VMSAVE, r::VMSAVE);
pub(crate) const STGI: Intercept = insn(bit::STGI, exit::STGI, r::STGI);
pub(crate) const CLGI: Intercept = insn(bit::CLGI, exit::CLGI, r::CLGI);
pub(crate) const SKINIT: Intercept = insn(bit::SKINIT, exit::SKINIT, r::SKINIT);
pub(crate) const RDTSCP: Intercept = insn(bit::RDTSCP, exit::RDTSCP, r::RDTSCP);
pub(crate) const ICEBP: Intercept = insn(bit::ICEBP, exit::ICEBP, r::ICEBP);
pub(crate) const WBINVD: Intercept = insn(bit::WBINVD, exit::WBINVD, r::WBINVD);
pub(crate) const MONITOR: Intercept = insn(bit::MONITOR, exit::MONITOR, r::MONITOR);
pub(crate) const MWAIT: Intercept = insn(bit::MWAIT, exit::MWAIT, r::MWAIT);
pub(crate) const XSETBV: Intercept = insn(bit::XSETBV, exit::XSETBV, r::XSETBV);
pub(crate) const RDPRU: Intercept = insn(bit::RDPRU, exit::RDPRU, r::RDPRU);
pub(crate) const INVLPGB: Intercept = insn(bit::INVLPGB, exit::INVLPGB, r::INVLPGB);
pub(crate) const INVPCID: Intercept = insn(bit::INVPCID, exit::INVPCID, r::INVPCID);
pub(crate) const TLBSYNC: Intercept = insn(bit::TLBSYNC, exit::TLBSYNC, r::TLBSYNC);
pub(crate) const IDLE_HLT: Intercept = insn(bit::IDLE_HLT, exit::IDLE_HLT, idle_hlt::EXIT);

impl Machine<'_> {
    /// Whether the running guest has that intercept bit set; never in L1.
    pub(crate) fn intercepts(&self, field: Field, bit: u8) -> bool {
        self.guest.as_ref().is_some_and(|g| g.intercepts(field, bit))
    }

    /// Exits if the instruction is intercepted.
    pub(crate) fn intercept(&mut self, intercept: &Intercept) -> Flow {
        self.intercept_with(intercept, None)
    }

    /// Whether that intercept is set in the guest's VMCB.
    pub(crate) fn wants(&self, bit: Bit) -> bool {
        self.intercepts(bit.field(), bit.number())
    }

    /// As [`Machine::intercept`], with what decode assists put into EXITINFO1.
    pub(crate) fn intercept_with(&mut self, intercept: &Intercept, info1: Option<u64>) -> Flow {
        if self.guest.is_none() {
            return Ok(());
        }
        let wanted = self.wants(intercept.bit);
        if !self.t.rule(intercept.rule, wanted) {
            return Ok(());
        }
        self.exit(Reason { info1, ..Reason::new(intercept.code, NextRip::Instruction) })
    }
}
