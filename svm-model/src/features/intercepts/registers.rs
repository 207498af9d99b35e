//! Control and debug registers (15.8, 15.9).

use crate::arch::vmcb::Field;
use crate::arch::{cr0, cr4, efer, exit, intercept};
use crate::features::vmrun::checks;
use crate::machine::{Flow, Machine, Scene, Stop};
use crate::rules::{RuleId, intercepts, virq};

/// The reserved bits of CR0 below bit 32.
const CR0_UNRELIABLE: u64 = 0xffff_ffff & !0xe005_003f;

impl Machine<'_> {
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
        if self.t.rule(intercepts::CR_UD_FIRST, missing) {
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

    pub(crate) fn write_cr(&mut self, n: u8, gpr: u8) -> Flow {
        let value = self.operand(gpr)?;
        let value = if self.r.mode64() { value } else { value & 0xffff_ffff };
        self.cr_exists(n)?;
        self.privileged()?;
        let illegal = self.cr_value_illegal(n, value);
        if self.t.rule(intercepts::CR_GP_FIRST, illegal) {
            return Err(self.gp(0));
        }
        let info = self.cr_info(gpr);
        if n == 0 && self.guest.is_some() {
            let both = self.intercepts(Field::INTERCEPT_CR_WRITE, 0) && self.selective(value);
            if self.t.rule(intercepts::CR0_SEL_PRIORITY, both) {
                return self.exit_control(exit::CR_WRITE, info);
            }
        }
        self.intercept_cr(Field::INTERCEPT_CR_WRITE, n, info)?;
        if n == 0 {
            self.intercept_selective(intercepts::CR0_SEL, value, info)?;
        }
        self.set_cr(n, value)?;
        self.cr_write_trap(n)
    }

    /// The write traps are for SEV-ES guests.
    fn cr_write_trap(&mut self, n: u8) -> Flow {
        if !self.intercepts(Field::INTERCEPT_MISC2, intercept::CR0_WRITE_TRAP.number() + (n & 15)) {
            return Ok(());
        }
        self.leaves(intercepts::CR_TRAP_INERT, Scene::Register(n))
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
                value & !checks::cr4_valid(&self.platform) != 0
                    || long && value & cr4::PAE == 0
                    || long && (value ^ self.r.cr4) & cr4::LA57 != 0
                    || value & cr4::CET != 0 && self.r.cr0 & cr0::WP == 0
            }
            8 => self.t.rule(virq::CR8_GP, value > 15),
            _ => false,
        }
    }

    /// The selective CR0 intercept: bits other than TS and MP change.
    pub(crate) fn intercept_selective(
        &mut self,
        rule: RuleId,
        value: u64,
        info: Option<u64>,
    ) -> Flow {
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
                if value & CR0_UNRELIABLE != 0 {
                    // Software should never rely on what is read there (3.1.1).
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

    pub(crate) fn lmsw(&mut self, gpr: u8) -> Flow {
        self.privileged()?;
        let word = self.operand(gpr)? & 0xf;
        // LMSW cannot clear PE.
        let value = self.r.cr0 & !0xe | word;
        let info = self.cr_other_info();
        if self.t.does(intercepts::CR_LMSW) {
            self.intercept_cr(Field::INTERCEPT_CR_WRITE, 0, info)?;
        }
        let selected = self.wants(intercept::CR0_SEL_WRITE);
        if self.guest.is_some() && self.t.rule(intercepts::CR0_SEL_LMSW, selected) {
            return self.exit_control(exit::CR0_SEL_WRITE, info);
        }
        self.set_cr(0, value)
    }

    pub(crate) fn smsw(&mut self, gpr: u8) -> Flow {
        self.umip()?;
        let info = self.cr_other_info();
        if self.t.does(intercepts::CR_SMSW) {
            self.intercept_cr(Field::INTERCEPT_CR_READ, 0, info)?;
        }
        self.set_sized(gpr, self.r.cr0);
        Ok(())
    }

    pub(crate) fn clts(&mut self) -> Flow {
        self.privileged()?;
        let info = self.cr_other_info();
        if self.t.does(intercepts::CR_CLTS) {
            self.intercept_cr(Field::INTERCEPT_CR_WRITE, 0, info)?;
        }
        self.leaves(intercepts::CR0_SEL_CLTS, Scene::Here)?;
        self.set_cr(0, self.r.cr0 & !cr0::TS)
    }

    /// #GP of the descriptor-table reads that CR4.UMIP forbids.
    pub(crate) fn umip(&mut self) -> Flow {
        let forbidden = self.r.cpl != 0 && self.r.cr4 & cr4::UMIP != 0;
        if self.t.rule(intercepts::UMIP_FIRST, forbidden) {
            return Err(self.gp(0));
        }
        Ok(())
    }

    /// Whether EFER can hold the value.
    pub(crate) fn efer_reserved(&self, value: u64) -> bool {
        value & !(checks::efer_valid(&self.platform) & !efer::LMSLE) != 0
    }
}

/// The rule of the intercept of MOV to or from CRn, where there is one.
pub(crate) fn cr_rule(read: bool, n: u8) -> Option<RuleId> {
    Some(match (read, n) {
        (true, 0) => intercepts::CR0_READ,
        (true, 2) => intercepts::CR2_READ,
        (true, 3) => intercepts::CR3_READ,
        (true, 4) => intercepts::CR4_READ,
        (true, 8) => intercepts::CR8_READ,
        (false, 0) => intercepts::CR0_WRITE,
        (false, 2) => intercepts::CR2_WRITE,
        (false, 3) => intercepts::CR3_WRITE,
        (false, 4) => intercepts::CR4_WRITE,
        (false, 8) => intercepts::CR8_WRITE,
        _ => return None,
    })
}
