//! What is pending between two instructions: physical events, virtual
//! interrupts and NMIs, and who may take them (15.13, 15.17, 15.21).

use crate::arch::{exit, flag, int_ctl, intercept};
use crate::features::nrip::model::NextRip;
use crate::features::vmexit::model::Reason;
use crate::machine::delivery::{Event, Kind};
use crate::machine::{Flow, Machine, Scene, Stop};
use crate::outcome::Obs;
use crate::rules::{physical, vgif, virq, vnmi};

/// Physical events that wait, and what holds them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pending {
    /// Requested vectors of the local APIC.
    requested: [u64; 4],
    /// Highest vector that was taken and not ended, if any.
    pub(crate) in_service: Option<u8>,
    pub(crate) nmi: bool,
    pub(crate) smi: bool,
    pub(crate) init: bool,
    /// An NMI is being handled; others wait for IRET.
    pub(crate) nmi_blocked: bool,
}

impl Pending {
    pub(crate) fn request(&mut self, vector: u8) {
        self.requested[usize::from(vector / 64)] |= 1 << (vector % 64);
    }

    #[cfg(test)]
    pub(crate) fn requests(&self, vector: u8) -> bool {
        self.requested[usize::from(vector / 64)] >> (vector % 64) & 1 == 1
    }

    pub(crate) fn highest(&self) -> Option<u8> {
        (0..4)
            .rev()
            .find(|n| self.requested[*n] != 0)
            .map(|n| (n * 64) as u8 + (63 - self.requested[n].leading_zeros()) as u8)
    }

    pub(crate) fn take(&mut self, vector: u8) {
        self.requested[usize::from(vector / 64)] &= !(1 << (vector % 64));
    }

    fn any(&self) -> bool {
        self.requested != [0; 4] || self.nmi || self.smi || self.init
    }
}

impl Machine<'_> {
    /// The boundary before the next instruction of the guest.
    pub(crate) fn boundary(&mut self) -> Flow {
        let Some(guest) = &self.guest else { return Err(Stop::Open) };
        let waiting = guest.int(int_ctl::V_IRQ);
        let virtual_clear = guest.vgif && !guest.int(int_ctl::V_GIF);
        let physical = self.pending.any();
        if physical && waiting {
            self.leaves(virq::PHYSICAL_FIRST, Scene::Here)?;
        }
        let physical = physical && (!virtual_clear || self.t.does(vgif::VGIF_NOT_PHYSICAL));
        if self.virtual_nmi_waits() {
            if self.pending.nmi {
                self.leaves(vnmi::PHYSICAL_FIRST, Scene::Here)?;
            }
            if self.pending.highest().is_some() {
                self.leaves(vnmi::BEFORE_INTR, Scene::Here)?;
            }
        }
        if physical {
            self.before_interrupts()?;
        }
        self.virtual_nmi_in_guest()?;
        if physical {
            self.interrupt_in_guest()?;
        }
        if waiting { self.virtual_in_guest() } else { Ok(()) }
    }

    /// What is physical and comes before the interrupts that IF masks (8.5).
    fn before_interrupts(&mut self) -> Flow {
        let gif = self.gif;
        if self.pending.smi && self.t.rule(vgif::HOLDS_SMI, gif) {
            let wanted = self.wants(intercept::SMI);
            if self.t.rule(physical::SMI, wanted) {
                let info1 = Some(self.t.said(physical::SMI_EXTERNAL, 1));
                return self.exit(Reason { info1, ..Reason::new(exit::SMI, NextRip::None) });
            }
            self.pending.smi = false;
            self.obs.push(Obs::L1Smi);
        }
        if self.pending.init && self.t.rule(vgif::HOLDS_INIT, gif) {
            let wanted = self.wants(intercept::INIT);
            if self.t.rule(physical::INIT, wanted) {
                self.leaves(physical::INIT_PENDING, Scene::Here)?;
                return self.exit(Reason::new(exit::INIT, NextRip::None));
            }
            self.obs.push(Obs::L1Reset);
            return Err(Stop::Open);
        }
        if self.pending.nmi && !self.pending.nmi_blocked && self.t.rule(vgif::HOLDS_NMI, gif) {
            self.nmi_in_guest()?;
        }
        Ok(())
    }

    fn nmi_in_guest(&mut self) -> Flow {
        let wanted = self.wants(intercept::NMI);
        if self.t.rule(physical::NMI, wanted) {
            self.leaves(physical::NMI_PENDING, Scene::Here)?;
            return self.exit(Reason::new(exit::NMI, NextRip::None));
        }
        self.pending.nmi = false;
        self.pending.nmi_blocked = true;
        self.deliver(Event::new(2, Kind::Nmi))
    }

    /// The physical interrupt that is neither masked nor held, shadow or not.
    pub(crate) fn physical_interrupt_ready(&mut self) -> Option<u8> {
        let vector = self.pending.highest()?;
        let guest = self.guest.as_ref()?;
        let masking = guest.int(int_ctl::V_INTR_MASKING);
        let (host_if, guest_if) = (guest.host_if(), self.r.rflags & flag::IF != 0);
        let gif = self.gif;
        let governing = if self.t.rule(virq::MASKING, masking) { host_if } else { guest_if };
        let class = u64::from(vector >> 4);
        let in_service = self.pending.in_service.map_or(0, |v| u64::from(v >> 4));
        let priority = self.t.rule(virq::TPR_PHYSICAL, class > self.r.tpr) && class > in_service;
        let taken = self.t.rule(vgif::HOLDS_INTR, gif)
            && self.t.rule(physical::INTR_IF, governing)
            && priority;
        taken.then_some(vector)
    }

    /// The maskable interrupt.
    pub(crate) fn interrupt_in_guest(&mut self) -> Flow {
        let Some(vector) = self.physical_interrupt_ready() else { return Ok(()) };
        let Some(guest) = &self.guest else { return Ok(()) };
        let masking = guest.int(int_ctl::V_INTR_MASKING);
        let wanted = self.wants(intercept::INTR);
        if self.r.shadow {
            // Whether a shadow holds an exit for INTR, the manual does not say.
            return if wanted || masking { Err(Stop::Open) } else { Ok(()) };
        }
        if self.t.rule(physical::INTR, wanted) {
            self.leaves(physical::INTR_EXIT, Scene::Here)?;
            return self.exit(Reason::new(exit::INTR, NextRip::None));
        }
        self.pending.take(vector);
        self.pending.in_service = Some(vector);
        if self.t.does(virq::MASKING_PHYSICAL) {
            self.deliver(Event::new(vector, Kind::Interrupt))?;
        }
        Ok(())
    }

    /// What L1 takes now, with interrupts allowed or not.
    pub(crate) fn physical_in_host(&mut self, interrupts: bool) -> Flow {
        if !self.pending.any() {
            return Ok(());
        }
        let gif = self.gif;
        if self.pending.smi && self.t.rule(vgif::HOLDS_SMI, gif) {
            self.pending.smi = false;
            self.obs.push(Obs::L1Smi);
        }
        if self.pending.init && self.t.rule(vgif::HOLDS_INIT, gif) {
            self.obs.push(Obs::L1Reset);
            return Err(Stop::Open);
        }
        if self.pending.nmi && self.t.rule(vgif::HOLDS_NMI, gif) && !self.pending.nmi_blocked {
            self.pending.nmi = false;
            self.obs.push(Obs::L1Nmi);
        }
        while let Some(vector) = self.pending.highest() {
            let class = u64::from(vector >> 4);
            let in_service = self.pending.in_service.map_or(0, |v| u64::from(v >> 4));
            let allowed = interrupts
                && class > in_service
                && self.t.rule(virq::TPR_PHYSICAL, class > self.r.tpr);
            if !allowed || !self.t.rule(vgif::HOLDS_INTR, gif) {
                break;
            }
            self.pending.take(vector);
            self.obs.push(Obs::L1Interrupt(vector));
        }
        Ok(())
    }
}
