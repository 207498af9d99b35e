//! Task switches (15.14.1).

use crate::arch::control::TASK_BY_JUMP;
use crate::arch::{exit, flag, intercept};
use crate::features::nrip::model::NextRip;
use crate::features::vmexit::model::Reason;
use crate::machine::paging::Access;
use crate::machine::{Flow, Machine, Stop};
use crate::rules::task_switch;

impl Machine<'_> {
    /// A far jump to an available task-state segment, in protected mode.
    pub(crate) fn task_jump(&mut self, selector: u16) -> Flow {
        let offset = u64::from(selector & !7);
        if self.r.long_mode() || self.guest.is_none() || offset + 7 > u64::from(self.r.gdtr.limit) {
            return Err(Stop::Open);
        }
        let at = self.translate(self.r.gdtr.base + offset, Access::SYSTEM_READ)?;
        let descriptor = self.mem.word(at);
        let available = descriptor >> 40 & 0x9f == 0x89;
        // The descriptor is checked before the intercept; what its #GP leads to is open.
        let privilege = descriptor >> 45 & 3 >= u64::from(selector & 3).max(self.r.cpl.into());
        let wanted = self.wants(intercept::TASK_SWITCH);
        if available && privilege && wanted && self.t.does(task_switch::TASK_SWITCH) {
            let resume = (self.r.rflags & flag::RF) << 32;
            let info2 = self.t.said(task_switch::TASK_SWITCH_INFO, TASK_BY_JUMP | resume);
            return self.exit(Reason {
                info1: Some(selector.into()),
                info2: Some(info2),
                ..Reason::new(exit::TASK_SWITCH, NextRip::None)
            });
        }
        Err(Stop::Open)
    }
}
