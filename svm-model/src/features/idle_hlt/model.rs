//! HLT, and whether anything virtual is pending (15.9).

use crate::arch::int_ctl;
use crate::features::intercepts::table;
use crate::machine::{Flow, Machine, Stop};
use crate::rules::{idle_hlt, vgif, virq};

impl Machine<'_> {
    pub(crate) fn hlt(&mut self) -> Flow {
        self.privileged()?;
        if self.t.does(idle_hlt::HLT_FIRST) {
            self.intercept(&table::HLT)?;
        }
        self.idle_hlt()?;
        self.intercept(&table::HLT)?;
        if self.guest.is_none() {
            return Err(Stop::Open);
        }
        // HLT ends at once if something can be taken at the next boundary.
        self.r.shadow = false;
        let masked = self.guest.as_ref().is_some_and(|g| g.vgif && !g.int(int_ctl::V_GIF));
        let masked = self.t.rule(vgif::VGIF_BLOCKS_VIRQ, masked);
        let wakes = self.gif && !masked && self.virtual_interrupt_ready()
            || self.physical_interrupt_ready().is_some();
        if wakes && self.t.does(virq::HLT_WAKES) {
            return Ok(());
        }
        Err(Stop::Open)
    }

    /// The idle HLT intercept: nothing of the guest's own is pending.
    pub(crate) fn idle_hlt(&mut self) -> Flow {
        let Some(guest) = self.guest.as_ref().filter(|g| g.idle_hlt) else { return Ok(()) };
        let irq = guest.int(int_ctl::V_IRQ);
        let nmi = guest.vnmi && guest.int(int_ctl::V_NMI);
        if self.t.rule(idle_hlt::V_IRQ, irq) || self.t.rule(idle_hlt::V_NMI, nmi) {
            return Ok(());
        }
        self.intercept(&table::IDLE_HLT)
    }
}
