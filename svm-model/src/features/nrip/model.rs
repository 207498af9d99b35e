//! Which exits save a next RIP, and what it is (15.7.1).

use crate::arch::vmcb::Field;
use crate::features::vmexit::model::Reason;
use crate::machine::Machine;
use crate::rules::nrip;

/// Which exits save a next RIP (15.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextRip {
    /// An instruction intercept.
    Instruction,
    /// A control- or debug-register intercept.
    CrDr,
    /// An MSR or I/O intercept.
    MsrIo,
    /// The exception of INT3, INTO or BOUND.
    SoftException,
    /// None of these.
    None,
}

impl Machine<'_> {
    /// Saves the next RIP, where the processor does.
    pub(crate) fn save_next_rip(&mut self, pa: u64, reason: &Reason) {
        let offered = super::supported(&self.platform);
        if self.t.rule(nrip::SUPPORTED, offered) {
            let rule = match reason.next_rip {
                NextRip::Instruction => nrip::INSTRUCTION,
                NextRip::CrDr => nrip::CR_DR,
                NextRip::MsrIo => nrip::MSR_IO,
                NextRip::SoftException => nrip::SOFT_EXCEPTION,
                NextRip::None => nrip::OTHERS_ZERO,
            };
            let next = if reason.next_rip == NextRip::None { 0 } else { self.next_rip };
            let next = self.t.said(rule, next);
            self.mem.set_field(pa, Field::NRIP, next);
        }
    }
}
