//! Breakpoints and debug registers (15.8.2, 15.9; vol. 2, 13.1).

use crate::arch::vmcb::Field;
use crate::arch::{cr4, dr, exit};
use crate::machine::delivery::Event;
use crate::machine::{Flow, Machine, Stop};
use crate::rules::{RuleId, debug, decode_assists, intercepts};

impl Machine<'_> {
    /// The checks in front of a debug-register access; the register's number.
    pub(crate) fn debug_register(&mut self, n: u8, written: Option<u64>, gpr: u8) -> Flow<u8> {
        if n > 7 {
            return Err(self.ud());
        }
        let alias = matches!(n, 4 | 5);
        if alias && self.r.cr4 & cr4::DE != 0 && self.r.cpl != 0 {
            // Which of its two exceptions comes first, the manual does not say.
            return Err(Stop::Open);
        }
        if alias && self.t.rule(debug::DE_ALIAS, self.r.cr4 & cr4::DE != 0) {
            return Err(self.ud());
        }
        if self.r.cpl != 0 && self.r.dr7 & dr::DR7_GD != 0 {
            // General detect is said to work at any privilege level; no order is.
            return Err(Stop::Open);
        }
        if self.t.rule(intercepts::DR_EXCEPTIONS_FIRST, self.r.cpl != 0) {
            return Err(self.gp(0));
        }
        let high = n > 3 && written.is_some_and(|value| value >> 32 != 0);
        let detect = self.r.dr7 & dr::DR7_GD != 0;
        if high && detect {
            // Which of the two comes first, the manual does not say.
            return Err(Stop::Open);
        }
        if n > 3 && written.is_some() && self.t.rule(debug::DR_WRITE_HIGH, high) {
            return Err(self.gp(0));
        }
        if self.t.does(debug::GD_FIRST) {
            self.general_detect()?;
        }
        self.intercept_dr(n, written.is_none(), gpr)?;
        self.general_detect()?;
        Ok(if alias { n + 2 } else { n })
    }

    fn general_detect(&mut self) -> Flow {
        if self.t.rule(debug::GD, self.r.dr7 & dr::DR7_GD != 0) {
            return Err(Stop::Raise(Event::debug(dr::DR6_BD)));
        }
        Ok(())
    }

    fn intercept_dr(&mut self, n: u8, read: bool, gpr: u8) -> Flow {
        if self.guest.is_none() {
            return Ok(());
        }
        let field = if read { Field::INTERCEPT_DR_READ } else { Field::INTERCEPT_DR_WRITE };
        let wanted = self.intercepts(field, n);
        let info = self.decoded(decode_assists::DR_GPR, u64::from(gpr & 15));
        if self.t.rule(dr_rule(read, n), wanted) {
            let base = if read { exit::DR_READ } else { exit::DR_WRITE };
            return self.exit_control(base + u64::from(n), info);
        }
        Ok(())
    }

    pub(crate) fn read_dr(&mut self, n: u8, gpr: u8) -> Flow {
        let n = self.debug_register(n, None, gpr)?;
        if n == 6 && self.open_dr6 {
            return self.forget(&[gpr.into()]);
        }
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
        let value = if self.r.mode64() { value } else { value & 0xffff_ffff };
        let n = self.debug_register(n, Some(value), gpr)?;
        if n == 6 {
            self.open_dr6 = false;
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
}

pub(crate) fn dr_rule(read: bool, n: u8) -> RuleId {
    const READ: [RuleId; 8] = [
        intercepts::DR0_READ,
        intercepts::DR1_READ,
        intercepts::DR2_READ,
        intercepts::DR3_READ,
        intercepts::DR4_READ,
        intercepts::DR5_READ,
        intercepts::DR6_READ,
        intercepts::DR7_READ,
    ];
    const WRITE: [RuleId; 8] = [
        intercepts::DR0_WRITE,
        intercepts::DR1_WRITE,
        intercepts::DR2_WRITE,
        intercepts::DR3_WRITE,
        intercepts::DR4_WRITE,
        intercepts::DR5_WRITE,
        intercepts::DR6_WRITE,
        intercepts::DR7_WRITE,
    ];
    if read { READ[usize::from(n & 7)] } else { WRITE[usize::from(n & 7)] }
}
