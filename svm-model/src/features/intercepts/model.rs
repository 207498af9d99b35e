//! The instruction intercepts: which bit, which exit code, which rule (15.9).

use crate::features::vmexit::model::{NextRip, Reason};
use crate::machine::{Flow, Machine};
use crate::rules::{RuleId, idle_hlt, intercepts as r};
use crate::vmcb::{Field, exit};

/// One intercept bit and the exit it leads to.
#[derive(Clone, Copy)]
pub(crate) struct Intercept {
    field: Field,
    bit: u8,
    code: u64,
    rule: RuleId,
}

const fn misc1(bit: u8, code: u64, rule: RuleId) -> Intercept {
    Intercept { field: Field::INTERCEPT_MISC1, bit, code, rule }
}

const fn misc2(bit: u8, code: u64, rule: RuleId) -> Intercept {
    Intercept { field: Field::INTERCEPT_MISC2, bit, code, rule }
}

const fn misc3(bit: u8, code: u64, rule: RuleId) -> Intercept {
    Intercept { field: Field::INTERCEPT_MISC3, bit, code, rule }
}

pub(crate) const SIDT: Intercept = misc1(6, exit::IDTR_READ, r::SIDT);
pub(crate) const SGDT: Intercept = misc1(7, exit::IDTR_READ + 1, r::SGDT);
pub(crate) const SLDT: Intercept = misc1(8, exit::IDTR_READ + 2, r::SLDT);
pub(crate) const STR: Intercept = misc1(9, exit::IDTR_READ + 3, r::STR);
pub(crate) const LIDT: Intercept = misc1(10, exit::IDTR_READ + 4, r::LIDT);
pub(crate) const LGDT: Intercept = misc1(11, exit::IDTR_READ + 5, r::LGDT);
pub(crate) const LLDT: Intercept = misc1(12, exit::IDTR_READ + 6, r::LLDT);
pub(crate) const LTR: Intercept = misc1(13, exit::IDTR_READ + 7, r::LTR);
pub(crate) const RDTSC: Intercept = misc1(14, exit::RDTSC, r::RDTSC);
pub(crate) const RDPMC: Intercept = misc1(15, exit::RDPMC, r::RDPMC);
pub(crate) const PUSHF: Intercept = misc1(16, exit::PUSHF, r::PUSHF);
pub(crate) const POPF: Intercept = misc1(17, exit::POPF, r::POPF);
pub(crate) const CPUID: Intercept = misc1(18, exit::CPUID, r::CPUID);
pub(crate) const RSM: Intercept = misc1(19, exit::RSM, r::RSM);
pub(crate) const IRET: Intercept = misc1(20, exit::IRET, r::IRET);
pub(crate) const SWINT: Intercept = misc1(21, exit::SWINT, r::SWINT);
pub(crate) const INVD: Intercept = misc1(22, exit::INVD, r::INVD);
pub(crate) const PAUSE: Intercept = misc1(23, exit::PAUSE, r::PAUSE);
pub(crate) const HLT: Intercept = misc1(24, exit::HLT, r::HLT);
pub(crate) const INVLPG: Intercept = misc1(25, exit::INVLPG, r::INVLPG);
pub(crate) const INVLPGA: Intercept = misc1(26, exit::INVLPGA, r::INVLPGA);
pub(crate) const VMRUN: Intercept = misc2(0, exit::VMRUN, r::VMRUN);
pub(crate) const VMMCALL: Intercept = misc2(1, exit::VMMCALL, r::VMMCALL);
pub(crate) const VMLOAD: Intercept = misc2(2, exit::VMLOAD, r::VMLOAD);
pub(crate) const VMSAVE: Intercept = misc2(3, exit::VMSAVE, r::VMSAVE);
pub(crate) const STGI: Intercept = misc2(4, exit::STGI, r::STGI);
pub(crate) const CLGI: Intercept = misc2(5, exit::CLGI, r::CLGI);
pub(crate) const SKINIT: Intercept = misc2(6, exit::SKINIT, r::SKINIT);
pub(crate) const RDTSCP: Intercept = misc2(7, exit::RDTSCP, r::RDTSCP);
pub(crate) const ICEBP: Intercept = misc2(8, exit::ICEBP, r::ICEBP);
pub(crate) const WBINVD: Intercept = misc2(9, exit::WBINVD, r::WBINVD);
pub(crate) const MONITOR: Intercept = misc2(10, exit::MONITOR, r::MONITOR);
pub(crate) const MWAIT: Intercept = misc2(11, exit::MWAIT, r::MWAIT);
pub(crate) const XSETBV: Intercept = misc2(13, exit::XSETBV, r::XSETBV);
pub(crate) const RDPRU: Intercept = misc2(14, exit::RDPRU, r::RDPRU);
pub(crate) const INVLPGB: Intercept = misc3(0, exit::INVLPGB, r::INVLPGB);
pub(crate) const INVPCID: Intercept = misc3(2, exit::INVPCID, r::INVPCID);
pub(crate) const TLBSYNC: Intercept = misc3(4, exit::TLBSYNC, r::TLBSYNC);
pub(crate) const IDLE_HLT: Intercept = misc3(6, exit::IDLE_HLT, idle_hlt::EXIT);

impl Machine<'_> {
    /// Whether the running guest has that intercept bit set; never in L1.
    pub(crate) fn intercepts(&self, field: Field, bit: u8) -> bool {
        self.guest.as_ref().is_some_and(|g| g.intercepts(field, bit))
    }

    /// Exits if the instruction is intercepted.
    pub(crate) fn intercept(&mut self, intercept: &Intercept) -> Flow {
        self.intercept_with(intercept, None)
    }

    /// As [`Machine::intercept`], with what decode assists put into EXITINFO1.
    pub(crate) fn intercept_with(&mut self, intercept: &Intercept, info1: Option<u64>) -> Flow {
        if self.guest.is_none() {
            return Ok(());
        }
        let wanted = self.intercepts(intercept.field, intercept.bit);
        if !self.t.rule(intercept.rule, wanted) {
            return Ok(());
        }
        self.exit(Reason { info1, ..Reason::new(intercept.code, NextRip::Instruction) })
    }
}
