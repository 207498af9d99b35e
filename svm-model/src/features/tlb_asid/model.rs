//! Which translations are kept, dropped and shared (15.15, 15.16).

use crate::arch::cpu::CpuFeature;
use crate::arch::vmcb::Field;
use crate::features::intercepts::table;
use crate::machine::{Flow, Machine, Scene, Stop};
use crate::rules::{tlb_asid, vmrun};

impl Machine<'_> {
    /// Drops the translations that TLB_CONTROL names.
    pub(crate) fn flush(&mut self) -> Flow {
        let Some(guest) = &self.guest else { return Ok(()) };
        let asid = guest.ctl.get(Field::GUEST_ASID);
        let control = guest.ctl.get(Field::TLB_CONTROL);
        let by_asid = self.platform.features.has(CpuFeature::FlushByAsid);
        let known = matches!(control, 0 | 1) || by_asid && matches!(control, 3 | 7);
        match control {
            _ if self.t.rule(vmrun::TLB_CONTROL_RESERVED, !known) => self.used.clear(),
            1 if self.t.does(tlb_asid::FLUSH_ALL) => self.used.clear(),
            3 | 7 if self.t.does(tlb_asid::FLUSH_ASID) => self.used.retain(|(a, ..)| *a != asid),
            0 => self.leaves(tlb_asid::NEW_ASID, Scene::Here)?,
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn invlpga(&mut self) -> Flow {
        if self.t.rule(tlb_asid::INVLPGA_UD, !self.svme()) {
            return Err(self.ud());
        }
        self.protected_mode()?;
        self.privileged()?;
        self.intercept(&table::INVLPGA)?;
        let canonical = self.r.canonical(self.address_operand()?);
        if !canonical {
            self.leaves(tlb_asid::INVLPGA_NONCANONICAL, Scene::Here)?;
        }
        self.leaves(tlb_asid::INVLPGA_OK, Scene::Here)
    }

    /// What an earlier translation of the same page makes of this one: stale
    /// translations that nobody dropped may or may not be used.
    pub(crate) fn through_tlb(&mut self, linear: u64, pa: u64) -> Flow<u64> {
        let Some(guest) = &self.guest else { return Ok(pa) };
        let asid = guest.ctl.get(Field::GUEST_ASID);
        let (page, frame) = (linear & !0xfff, pa & !0xfff);
        match self.used.iter().find(|(a, p, _)| (*a, *p) == (asid, page)) {
            Some((_, _, before)) if *before != frame => Err(Stop::Open),
            Some(_) => Ok(pa),
            None => {
                self.used.push((asid, page, frame));
                Ok(pa)
            }
        }
    }
}
