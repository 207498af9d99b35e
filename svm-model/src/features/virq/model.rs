//! Virtual interrupts and the TPR (15.21).

use crate::arch::vmcb::Field;
use crate::arch::{exit, flag, int_ctl, intercept};
use crate::features::nrip::model::NextRip;
use crate::features::vmexit::model::Reason;
use crate::machine::delivery::{Event, Kind};
use crate::machine::{Flow, Machine, Scene};
use crate::rules::{vgif, virq};

impl Machine<'_> {
    pub(crate) fn virtual_in_guest(&mut self) -> Flow {
        let Some(guest) = &self.guest else { return Ok(()) };
        if !self.gif && self.t.does(vgif::HOLDS_VINTR) {
            return Ok(());
        }
        let (vgif, blocked) = (guest.vgif, guest.vgif && !guest.int(int_ctl::V_GIF));
        if vgif && self.t.rule(vgif::VGIF_BLOCKS_VIRQ, blocked) {
            return Ok(());
        }
        self.virtual_interrupt()
    }

    /// Whether the guest's virtual interrupt can be taken now.
    pub(crate) fn virtual_interrupt_ready(&mut self) -> bool {
        let Some(guest) = &self.guest else { return false };
        let t = &mut *self.t;
        if !t.rule(virq::V_IRQ, guest.int(int_ctl::V_IRQ)) {
            return false;
        }
        let priority = (guest.int_ctl & int_ctl::V_INTR_PRIO) >> 16;
        let above = t.rule(virq::IGN_TPR, guest.int(int_ctl::V_IGN_TPR))
            || t.rule(virq::PRIORITY, priority > guest.v_tpr() & 0xf);
        above
            && t.rule(virq::GUEST_IF, self.r.rflags & flag::IF != 0)
            && !t.rule(virq::SHADOW, self.r.shadow)
    }

    pub(crate) fn virtual_interrupt(&mut self) -> Flow {
        if !self.virtual_interrupt_ready() {
            return Ok(());
        }
        let wanted = self.wants(intercept::VINTR);
        let Some(guest) = self.guest.as_mut() else { return Ok(()) };
        if self.t.rule(virq::VINTR, wanted) {
            self.leaves(virq::VINTR_KEEPS, Scene::Here)?;
            return self.exit(Reason::new(exit::VINTR, NextRip::None));
        }
        if self.t.does(virq::TAKEN_CLEARS) {
            guest.int_ctl &= !int_ctl::V_IRQ;
        }
        let vector = guest.ctl.get(Field::INT_VECTOR) as u8;
        let vector = self.t.said(virq::TAKEN, vector);
        self.deliver(Event::new(vector, Kind::Interrupt))
    }

    pub(crate) fn read_cr8(&mut self) -> u64 {
        let Some(guest) = &self.guest else { return self.r.tpr };
        let masking = guest.int(int_ctl::V_INTR_MASKING);
        if self.t.rule(virq::CR8_READ, masking) { guest.v_tpr() & 0xf } else { self.r.tpr }
    }

    pub(crate) fn write_cr8(&mut self, value: u64) {
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
}
