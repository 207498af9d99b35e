//! Virtual NMIs: taken, masked, unmasked (15.21.10).

use crate::arch::int_ctl;
use crate::machine::delivery::{Event, Kind};
use crate::machine::{Flow, Machine, Scene};
use crate::rules::{event_injection, vgif, vnmi};

impl Machine<'_> {
    /// Whether a virtual NMI is pending, masked or held or not.
    pub(crate) fn virtual_nmi_waits(&self) -> bool {
        self.guest.as_ref().is_some_and(|guest| guest.vnmi && guest.int(int_ctl::V_NMI))
    }

    /// Takes the virtual NMI, unless something holds it.
    pub(crate) fn virtual_nmi_in_guest(&mut self) -> Flow {
        if !self.virtual_nmi_waits() || !self.gif && self.t.does(vgif::HOLDS_VINTR) {
            return Ok(());
        }
        let Some(guest) = &self.guest else { return Ok(()) };
        let (vgif, blocked) = (guest.vgif, guest.vgif && !guest.int(int_ctl::V_GIF));
        if vgif && self.t.rule(vnmi::VGIF_BLOCKS, blocked) {
            return Ok(());
        }
        let free = self.interrupts_on() || self.t.does(vnmi::IGNORES_IF);
        let Some(guest) = &mut self.guest else { return Ok(()) };
        if !self.t.rule(vnmi::TAKEN, !guest.int(int_ctl::V_NMI_MASK)) || !free {
            return Ok(());
        }
        if self.t.rule(vnmi::SHADOW, self.r.shadow) {
            return Ok(());
        }
        guest.int_ctl &= !int_ctl::V_NMI;
        guest.int_ctl |= int_ctl::V_NMI_MASK;
        self.deliver(Event::new(2, Kind::Nmi))
    }

    /// An injected NMI masks virtual NMIs, but blocks none that is physical.
    pub(crate) fn nmi_injected(&mut self) -> Flow {
        if let Some(guest) = self.guest.as_mut().filter(|g| g.vnmi)
            && self.t.does(vnmi::EVENTINJ_MASKS)
        {
            guest.int_ctl |= int_ctl::V_NMI_MASK;
        }
        self.leaves(event_injection::NMI_NO_BLOCK, Scene::Here)
    }

    pub(crate) fn unblock_nmi(&mut self) {
        match self.guest.as_mut().filter(|g| g.vnmi) {
            Some(guest) => {
                if self.t.does(vnmi::IRET_UNMASKS) {
                    guest.int_ctl &= !int_ctl::V_NMI_MASK;
                }
            }
            None => self.pending.nmi_blocked = false,
        }
    }
}
