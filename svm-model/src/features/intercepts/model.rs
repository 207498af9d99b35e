//! Whether an instruction is intercepted, and what is checked first (15.7 to 15.9).

use crate::arch::cpu::CpuFeature;
use crate::arch::intercept::Bit;
use crate::arch::vmcb::Field;
use crate::arch::{cr0, flag, intercept};
use crate::features::intercepts::table;
use crate::features::intercepts::table::Intercept;
use crate::features::nrip::model::NextRip;
use crate::features::vmexit::model::Reason;
use crate::machine::{Flow, Machine, Stop};
use crate::rules::intercepts;

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

    pub(crate) fn skinit(&mut self) -> Flow {
        self.offered(CpuFeature::Skinit)?;
        self.protected_mode()?;
        self.privileged()?;
        if self.wants(intercept::SKINIT) {
            self.intercept(&table::SKINIT)?;
        }
        Err(Stop::Open)
    }

    /// Raises #GP for a privileged instruction outside CPL 0.
    pub(crate) fn privileged(&mut self) -> Flow {
        let user = self.r.cpl != 0;
        if self.t.rule(intercepts::CPL_FIRST, user) {
            return Err(self.gp(0));
        }
        Ok(())
    }

    /// Raises #UD for an instruction that real and virtual-8086 mode do not have.
    pub(crate) fn protected_mode(&mut self) -> Flow {
        let legacy = self.r.cr0 & cr0::PE == 0 || self.r.rflags & flag::VM != 0;
        if self.t.rule(intercepts::PROTECTED_FIRST, legacy) {
            return Err(self.ud());
        }
        Ok(())
    }

    /// Raises #UD for an instruction that CPUID does not offer.
    pub(crate) fn offered(&mut self, feature: CpuFeature) -> Flow {
        let missing = !self.supported(feature);
        if self.t.rule(intercepts::UD_FIRST, missing) {
            return Err(self.ud());
        }
        Ok(())
    }

    /// An exit that is no instruction intercept of the tables.
    pub(crate) fn exit_control<T>(&mut self, code: u64, info1: Option<u64>) -> Flow<T> {
        self.exit(Reason { info1, ..Reason::new(code, NextRip::CrDr) })
    }
}
