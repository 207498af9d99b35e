//! The last-branch records, and the guest's own (15.23).

use crate::arch::vmcb::Field;
use crate::machine::registers::Branches;
use crate::machine::{Flow, Machine};
use crate::rules::lbrv;

impl Machine<'_> {
    /// The last-branch records, where DEBUGCTL.LBR asks for them.
    pub(crate) fn record_branch(&mut self, target: u64) {
        let on = self.r.branches.debugctl & 1 != 0;
        if self.t.rule(lbrv::RECORDS, on) {
            self.r.branches.foreign = false;
            self.r.branches.from = self.r.rip;
            self.r.branches.to = target;
        }
    }

    pub(crate) fn save_branches(&mut self, pa: u64) {
        let Branches { debugctl, from, to, excp_from, excp_to, .. } = self.r.branches;
        let fields = [
            (Field::DBGCTL, debugctl),
            (Field::BR_FROM, from),
            (Field::BR_TO, to),
            (Field::LASTEXCPFROM, excp_from),
            (Field::LASTEXCPTO, excp_to),
        ];
        fields.iter().for_each(|(field, value)| self.mem.set_field(pa, *field, *value));
    }

    pub(crate) fn write_debugctl(&mut self, value: u64) -> Flow {
        if self.t.rule(lbrv::DEBUGCTL_RESERVED, value & !0x3f != 0) {
            return Err(self.gp(0));
        }
        self.r.branches.debugctl = value;
        Ok(())
    }
}
