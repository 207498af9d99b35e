//! SPEC_CTRL: the register, and the guest's own (15.37.1).

use crate::arch::cpu::CpuFeature;
use crate::arch::vmcb::Field;
use crate::features::vmexit::model::bit;
use crate::machine::guest::Guest;
use crate::machine::{Flow, Machine, Stop};
use crate::rules::spec_ctrl;

impl Machine<'_> {
    /// The bits of SPEC_CTRL that the processor has; without any there is no MSR.
    pub(crate) fn spec_ctrl_bits(&self) -> u64 {
        let bits = [CpuFeature::Ibrs, CpuFeature::Stibp, CpuFeature::Ssbd];
        (0..).zip(bits).map(|(bit, feature)| u64::from(self.supported(feature)) << bit).sum()
    }

    pub(crate) fn read_spec_ctrl(&mut self) -> Flow<u64> {
        let known = self.spec_ctrl_bits();
        if known == 0 || self.r.spec_ctrl & !known != 0 {
            Err(Stop::Open)
        } else {
            Ok(self.r.spec_ctrl)
        }
    }

    pub(crate) fn write_spec_ctrl(&mut self, value: u64) -> Flow {
        let known = self.spec_ctrl_bits();
        if known == 0 {
            return Err(Stop::Open);
        }
        if self.t.rule(spec_ctrl::RESERVED, value & !known != 0) {
            return Err(self.gp(0));
        }
        self.r.spec_ctrl = value;
        Ok(())
    }

    pub(crate) fn save_spec_ctrl(&mut self, guest: &Guest) {
        if self.t.does(spec_ctrl::SAVE) {
            self.mem.set_field(guest.vmcb_pa, Field::SPEC_CTRL, self.r.spec_ctrl);
        }
        // What VMRUN makes of bits that the processor lacks, the manual does not say.
        if guest.ctl.get(Field::SPEC_CTRL) & !self.spec_ctrl_bits() != 0 {
            self.open_fields |= bit(Field::SPEC_CTRL);
        }
    }
}
