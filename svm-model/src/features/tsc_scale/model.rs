//! Reading the time stamp, and the ratio (15.30.5).

use crate::arch::cr4;
use crate::arch::vmcb::Field;
use crate::features::intercepts::table;
use crate::machine::{Flow, Machine};
use crate::rules::{RuleId, intercepts, tsc_scale};

impl Machine<'_> {
    pub(crate) fn tsd(&mut self) -> Flow {
        let forbidden = self.r.cpl != 0 && self.r.cr4 & cr4::TSD != 0;
        if self.t.rule(intercepts::TSD_FIRST, forbidden) {
            return Err(self.gp(0));
        }
        Ok(())
    }

    pub(crate) fn rdtsc(&mut self) -> Flow {
        self.tsd()?;
        self.intercept(&table::RDTSC)?;
        self.read_tsc(tsc_scale::OFFSET)
    }

    /// EDX:EAX become a time stamp below 2^48 plus the guest's offset.
    pub(crate) fn read_tsc(&mut self, rule: RuleId) -> Flow {
        let offset = self.guest.as_ref().map_or(0, |g| g.ctl.get(Field::TSC_OFFSET));
        if offset << 16 != 0 {
            // Low bits of the offset carry into what the model does not know.
            return self.forget(&[0, 2]);
        }
        let high = self.t.said(rule, offset >> 32);
        self.set_gpr(0, 0);
        self.set_gpr(2, high);
        (self.unknown[0], self.unknown[2]) = (0xffff_ffff, 0xffff);
        Ok(())
    }

    pub(crate) fn tsc_ratio_offered(&mut self) -> Flow {
        let missing = !super::supported(&self.platform);
        if self.t.rule(tsc_scale::RATIO_SUPPORTED, missing) {
            return Err(self.gp(0));
        }
        Ok(())
    }
}
