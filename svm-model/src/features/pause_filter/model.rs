//! PAUSE, and how many of them pass (15.14.4).

use crate::arch::cpu::CpuFeature;
use crate::arch::intercept;
use crate::arch::vmcb::Field;
use crate::features::intercepts::table;
use crate::machine::{Flow, Machine, Stop};
use crate::rules::pause_filter;

impl Machine<'_> {
    pub(crate) fn pause(&mut self) -> Flow {
        let wanted = self.wants(intercept::PAUSE);
        let Some(guest) = &mut self.guest else { return Ok(()) };
        let count = guest.ctl.get(Field::PAUSE_FILTER_COUNT);
        let t = &mut *self.t;
        if !t.rule(pause_filter::ZERO, count == 0)
            && t.rule(pause_filter::NEEDS_INTERCEPT, wanted)
            && t.rule(pause_filter::SUPPORTED, super::supported(&self.platform))
        {
            let offered = self.platform.features.has(CpuFeature::PfThreshold);
            let set = guest.ctl.get(Field::PAUSE_FILTER_THRESHOLD) != 0;
            if set && t.rule(pause_filter::THRESHOLD, offered) {
                // Whether two PAUSEs are close depends on time.
                return Err(Stop::Open);
            }
            if t.rule(pause_filter::COUNT, guest.pauses > 0) {
                guest.pauses -= 1;
                return Ok(());
            }
        }
        self.intercept(&table::PAUSE)
    }
}
