//! Control and debug registers (15.8, 15.9).

use crate::arch::{control::{MOV_CR}, cr0, cr4, dr, efer, int_ctl, intercept};
use crate::machine::delivery::Event;
use crate::machine::{Flow, Machine, Scene, Stop};
use crate::cpu::CpuFeature;
use crate::rules::{RuleId, debug, decode_assists as da, intercepts as r, virq};
use crate::vmcb::{Field, exit};


impl Machine<'_> {
    /// The register number of a MOV CR, where decode assists report it.
    fn cr_info(&mut self, gpr: u8) -> Option<u64> {
        self.decoded(da::CR_GPR, MOV_CR | u64::from(gpr & 15))
    }

    /// EXITINFO1 of CLTS, LMSW and SMSW.
    pub(crate) fn cr_other_info(&mut self) -> Option<u64> {
        if !self.supported(CpuFeature::DecodeAssists) {
            return None;
        }
        Some(self.t.said(da::CR_OTHER, 0))
    }

    fn intercept_cr(&mut self, field: Field, n: u8, info: Option<u64>) -> Flow {
        if self.guest.is_none() {
            return Ok(());
        }
        let read = field == Field::INTERCEPT_CR_READ;
        let wanted = self.intercepts(field, n);
        let Some(rule) = cr_rule(read, n) else { return Ok(()) };
        if !self.t.rule(rule, wanted) {
            return Ok(());
        }
        let base = if read { exit::CR_READ } else { exit::CR_WRITE };
        self.exit_control(base + u64::from(n), info)
    }

    fn cr_exists(&mut self, n: u8) -> Flow {
        let missing = !matches!(n, 0 | 2 | 3 | 4 | 8);
        if self.t.rule(r::CR_UD_FIRST, missing) {
            return Err(self.ud());
        }
        Ok(())
    }

    pub(crate) fn read_cr(&mut self, n: u8, gpr: u8) -> Flow {
        self.cr_exists(n)?;
        self.privileged()?;
        let info = self.cr_info(gpr);
        self.intercept_cr(Field::INTERCEPT_CR_READ, n, info)?;
        let value = match n {
            0 => self.r.cr0,
            2 => self.r.cr2,
            3 => self.r.cr3,
            4 => self.r.cr4,
            _ => self.read_cr8(),
        };
        self.set_gpr(gpr, value);
        Ok(())
    }

    fn read_cr8(&mut self) -> u64 {
        let Some(guest) = &self.guest else { return self.r.tpr };
        let masking = guest.int(int_ctl::V_INTR_MASKING);
        if self.t.rule(virq::CR8_READ, masking) { guest.v_tpr() & 0xf } else { self.r.tpr }
    }

    pub(crate) fn write_cr(&mut self, n: u8, gpr: u8) -> Flow {
        let value = self.operand(gpr)?;
        self.cr_exists(n)?;
        self.privileged()?;
        let illegal = self.cr_value_illegal(n, value);
        if self.t.rule(r::CR_GP_FIRST, illegal) {
            return Err(self.gp(0));
        }
        let info = self.cr_info(gpr);
        if n == 0 && self.guest.is_some() {
            let both = self.intercepts(Field::INTERCEPT_CR_WRITE, 0) && self.selective(value);
            if self.t.rule(r::CR0_SEL_PRIORITY, both) {
                return self.exit_control(exit::CR_WRITE, info);
            }
        }
        self.intercept_cr(Field::INTERCEPT_CR_WRITE, n, info)?;
        if n == 0 {
            self.intercept_selective(r::CR0_SEL, value, info)?;
        }
        self.set_cr(n, value)?;
        self.cr_write_trap(n)
    }

    /// The write traps are for SEV-ES guests.
    fn cr_write_trap(&mut self, n: u8) -> Flow {
        if !self.intercepts(Field::INTERCEPT_MISC2, intercept::CR0_WRITE_TRAP.number() + n) {
            return Ok(());
        }
        self.leaves(r::CR_TRAP_INERT, Scene::Register(n))
    }

    /// Whether the value raises #GP.
    fn cr_value_illegal(&mut self, n: u8, value: u64) -> bool {
        match n {
            0 => {
                let paging_off = value & cr0::PG == 0 && self.r.mode64();
                value >> 32 != 0
                    || value & (cr0::CD | cr0::NW) == cr0::NW
                    || value & (cr0::PG | cr0::PE) == cr0::PG
                    || paging_off
            }
            3 => {
                let pcid = self.r.cr4 & cr4::PCIDE != 0 && value >> 63 != 0;
                let address = if pcid { value & !(1 << 63) } else { value };
                self.r.long_mode() && address >> self.platform.phys_bits.min(52) != 0
            }
            4 => {
                let long = self.r.long_mode();
                value & !self.cr4_valid() != 0
                    || long && value & cr4::PAE == 0
                    || long && (value ^ self.r.cr4) & cr4::LA57 != 0
                    || value & cr4::CET != 0 && self.r.cr0 & cr0::WP == 0
            }
            8 => self.t.rule(virq::CR8_GP, value > 15),
            _ => false,
        }
    }

    /// The selective CR0 intercept: bits other than TS and MP change.
    pub(crate) fn intercept_selective(&mut self, rule: RuleId, value: u64, info: Option<u64>) -> Flow {
        if self.guest.is_none() || !self.wants(intercept::CR0_SEL_WRITE) {
            return Ok(());
        }
        let selected = self.selective(value);
        if self.t.rule(rule, selected) {
            return self.exit_control(exit::CR0_SEL_WRITE, info);
        }
        Ok(())
    }

    /// Whether the selective intercept is set and the value changes more than TS and MP.
    fn selective(&self, value: u64) -> bool {
        let changed = (value ^ self.r.cr0) & !(cr0::TS | cr0::MP | cr0::ET) != 0;
        changed && self.wants(intercept::CR0_SEL_WRITE)
    }

    fn set_cr(&mut self, n: u8, value: u64) -> Flow {
        match n {
            0 => {
                if (value ^ self.r.cr0) & cr0::PG != 0 {
                    return Err(Stop::Open);
                }
                self.r.cr0 = value & 0xe005_003f | cr0::ET;
            }
            2 => self.r.cr2 = value,
            3 => self.r.cr3 = value & !(1 << 63),
            4 => self.r.cr4 = value,
            _ => self.write_cr8(value),
        }
        Ok(())
    }

    fn write_cr8(&mut self, value: u64) {
        let Some(guest) = &mut self.guest else {
            self.r.tpr = value;
            return;
        };
        let masking = guest.int(int_ctl::V_INTR_MASKING);
        if self.t.does(virq::CR8_WRITE_VTPR) {
            guest.int_ctl = guest.int_ctl & !int_ctl::V_TPR | value;
        }
        if !self.t.rule(virq::CR8_WRITE_PHYSICAL, masking) {
            self.r.tpr = value;
        }
    }

    pub(crate) fn lmsw(&mut self, gpr: u8) -> Flow {
        self.privileged()?;
        let word = self.operand(gpr)? & 0xf;
        // LMSW cannot clear PE.
        let value = self.r.cr0 & !0xe | word;
        let info = self.cr_other_info();
        if self.t.does(r::CR_LMSW) {
            self.intercept_cr(Field::INTERCEPT_CR_WRITE, 0, info)?;
        }
        let selected = self.wants(intercept::CR0_SEL_WRITE);
        if self.guest.is_some() && self.t.rule(r::CR0_SEL_LMSW, selected) {
            return self.exit_control(exit::CR0_SEL_WRITE, info);
        }
        self.set_cr(0, value)
    }

    pub(crate) fn smsw(&mut self, gpr: u8) -> Flow {
        self.umip()?;
        let info = self.cr_other_info();
        if self.t.does(r::CR_SMSW) {
            self.intercept_cr(Field::INTERCEPT_CR_READ, 0, info)?;
        }
        // The guest encodes SMSW with a 32-bit register: the low half of CR0.
        self.set_gpr(gpr, self.r.cr0 & 0xffff_ffff);
        Ok(())
    }

    pub(crate) fn clts(&mut self) -> Flow {
        self.privileged()?;
        let info = self.cr_other_info();
        if self.t.does(r::CR_CLTS) {
            self.intercept_cr(Field::INTERCEPT_CR_WRITE, 0, info)?;
        }
        self.leaves(r::CR0_SEL_CLTS, Scene::Here)?;
        self.set_cr(0, self.r.cr0 & !cr0::TS)
    }

    /// #GP of the descriptor-table reads that CR4.UMIP forbids.
    pub(crate) fn umip(&mut self) -> Flow {
        let forbidden = self.r.cpl != 0 && self.r.cr4 & cr4::UMIP != 0;
        if self.t.rule(r::UMIP_FIRST, forbidden) {
            return Err(self.gp(0));
        }
        Ok(())
    }

    /// The checks in front of a debug-register access; the register's number.
    fn debug_register(&mut self, n: u8, read: bool, gpr: u8) -> Flow<u8> {
        if n > 7 {
            return Err(self.ud());
        }
        let alias = matches!(n, 4 | 5);
        if alias && self.t.rule(debug::DE_ALIAS, self.r.cr4 & cr4::DE != 0) {
            return Err(self.ud());
        }
        if self.t.rule(r::DR_EXCEPTIONS_FIRST, self.r.cpl != 0) {
            return Err(self.gp(0));
        }
        let field = if read { Field::INTERCEPT_DR_READ } else { Field::INTERCEPT_DR_WRITE };
        let detect = self.r.dr7 & dr::DR7_GD != 0;
        if self.guest.is_some() {
            let wanted = self.intercepts(field, n);
            if detect && wanted {
                return Err(Stop::Open);
            }
            let info = self.decoded(da::DR_GPR, u64::from(gpr & 15));
            if self.t.rule(dr_rule(read, n), wanted) {
                let base = if read { exit::DR_READ } else { exit::DR_WRITE };
                return self.exit_control(base + u64::from(n), info);
            }
        }
        if self.t.rule(debug::GD, detect) {
            return Err(Stop::Raise(Event::debug(dr::DR6_BD)));
        }
        Ok(if alias { n + 2 } else { n })
    }

    pub(crate) fn read_dr(&mut self, n: u8, gpr: u8) -> Flow {
        let n = self.debug_register(n, true, gpr)?;
        let value = match n {
            6 => self.r.dr6,
            7 => self.r.dr7,
            n => self.r.dr[usize::from(n & 3)],
        };
        self.set_gpr(gpr, value);
        Ok(())
    }

    pub(crate) fn write_dr(&mut self, n: u8, gpr: u8) -> Flow {
        let value = self.operand(gpr)?;
        // The order of this #GP and the intercept shows only where both apply.
        let high = matches!(n, 4..=7) && value >> 32 != 0;
        if high && self.r.cpl == 0 && self.intercepts(Field::INTERCEPT_DR_WRITE, n) {
            return Err(Stop::Open);
        }
        let n = self.debug_register(n, false, gpr)?;
        if n > 5 && self.t.rule(debug::DR_WRITE_HIGH, high) {
            return Err(self.gp(0));
        }
        let fixed = self.t.does(debug::DR6_FIXED);
        match n {
            6 if fixed => self.r.dr6 = (value | dr::DR6_ONES) & !dr::DR6_ZEROS & 0xffff_ffff,
            7 if fixed => self.r.dr7 = (value | dr::DR7_ONES) & !dr::DR7_ZEROS & 0xffff_ffff,
            6 => self.r.dr6 = value,
            7 => self.r.dr7 = value,
            n => self.r.dr[usize::from(n & 3)] = value,
        }
        Ok(())
    }

    /// Whether EFER can hold the value.
    pub(crate) fn efer_reserved(&self, value: u64) -> bool {
        value & !(self.efer_valid() & !0xfe & !efer::LMSLE) != 0
    }
}

/// The rule of the intercept of MOV to or from CRn, where there is one.
pub(crate) fn cr_rule(read: bool, n: u8) -> Option<RuleId> {
    Some(match (read, n) {
        (true, 0) => r::CR0_READ,
        (true, 2) => r::CR2_READ,
        (true, 3) => r::CR3_READ,
        (true, 4) => r::CR4_READ,
        (true, 8) => r::CR8_READ,
        (false, 0) => r::CR0_WRITE,
        (false, 2) => r::CR2_WRITE,
        (false, 3) => r::CR3_WRITE,
        (false, 4) => r::CR4_WRITE,
        (false, 8) => r::CR8_WRITE,
        _ => return None,
    })
}

/// The rule of the intercept of MOV to or from DRn.
pub(crate) fn dr_rule(read: bool, n: u8) -> RuleId {
    const READ: [RuleId; 8] = [
        r::DR0_READ,
        r::DR1_READ,
        r::DR2_READ,
        r::DR3_READ,
        r::DR4_READ,
        r::DR5_READ,
        r::DR6_READ,
        r::DR7_READ,
    ];
    const WRITE: [RuleId; 8] = [
        r::DR0_WRITE,
        r::DR1_WRITE,
        r::DR2_WRITE,
        r::DR3_WRITE,
        r::DR4_WRITE,
        r::DR5_WRITE,
        r::DR6_WRITE,
        r::DR7_WRITE,
    ];
    if read { READ[usize::from(n & 7)] } else { WRITE[usize::from(n & 7)] }
}
