//! What decode assists report of an instruction (15.8).

use crate::arch::control::MOV_CR;
use crate::arch::vmcb::Field;
use crate::features::vmexit::model::{Reason, bit};
use crate::machine::Machine;
use crate::machine::paging::Access;
use crate::rules::{RuleId, decode_assists};

impl Machine<'_> {
    /// A value that decode assists report, where they are offered.
    pub(crate) fn decoded(&mut self, rule: RuleId, value: u64) -> Option<u64> {
        let offered = super::supported(&self.platform);
        let reported = self.t.rule(rule, offered);
        offered.then_some(if reported { value } else { !value })
    }

    /// The register number of a MOV CR, where decode assists report it.
    pub(crate) fn cr_info(&mut self, gpr: u8) -> Option<u64> {
        self.decoded(decode_assists::CR_GPR, MOV_CR | u64::from(gpr & 15))
    }

    /// EXITINFO1 of CLTS, LMSW and SMSW.
    pub(crate) fn cr_other_info(&mut self) -> Option<u64> {
        if !super::supported(&self.platform) {
            return None;
        }
        Some(self.t.said(decode_assists::CR_OTHER, 0))
    }

    /// The bytes that the exit saves, fetched as the guest does that is about to be left; a fault
    /// in that is none of its own.
    pub(crate) fn fault_bytes(&mut self, reason: &Reason) -> Option<(u64, u128)> {
        let offered = super::supported(&self.platform);
        if !offered || !self.t.rule(decode_assists::BYTES, reason.data_fault) {
            return None;
        }
        self.probing = true;
        let bytes = self.instruction_bytes();
        self.probing = false;
        Some(bytes)
    }

    pub(crate) fn save_bytes(&mut self, pa: u64, reason: &Reason, bytes: Option<(u64, u128)>) {
        if !super::supported(&self.platform) {
            return;
        }
        if let Some((length, bytes)) = bytes {
            self.mem.set_field(pa, Field::INSN_LEN, length);
            self.mem.set_field(pa, Field::INSN_BYTES_0, bytes as u64);
            self.mem.set_field(pa, Field::INSN_BYTES_8, (bytes >> 64) as u64);
            return;
        }
        let rule = if reason.fetch_fault {
            decode_assists::BYTES_FETCH
        } else {
            decode_assists::BYTES_OTHERS
        };
        let length = self.t.said(rule, 0);
        self.mem.set_field(pa, Field::INSN_LEN, length);
        self.open_fields |= bit(Field::INSN_BYTES_0) | bit(Field::INSN_BYTES_8);
    }

    /// The bytes from RIP on that decode assists save, as far as they can be
    /// fetched: up to 15, and their count.
    pub(crate) fn instruction_bytes(&mut self) -> (u64, u128) {
        let linear = self.linear_rip();
        let to_page_end = 0x1000 - (linear & 0xfff);
        let count = to_page_end.min(15);
        if self.r.mode64() && !self.r.canonical(linear) {
            return (0, 0);
        }
        let Ok(pa) = self.translate(linear, Access::FETCH) else { return (0, 0) };
        let bytes = (0..count)
            .fold(0u128, |bytes, n| bytes | u128::from(self.mem.read(pa + n, 1)) << (8 * n));
        (count, bytes)
    }
}
