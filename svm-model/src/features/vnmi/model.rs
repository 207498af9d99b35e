//! Virtual NMIs: taken, masked, unmasked (15.21.10).

use crate::arch::int_ctl;
use crate::machine::delivery::{Event, Kind};
use crate::machine::{Flow, Machine, Scene, Stop};
use crate::rules::{event_injection, vnmi};

impl Machine<'_> {
    pub(crate) fn virtual_nmi(&mut self) -> Flow {
        let free = self.interrupts_on() || self.t.does(vnmi::IGNORES_IF);
        let Some(guest) = &mut self.guest else { return Ok(()) };
        if !self.t.rule(vnmi::TAKEN, !guest.int(int_ctl::V_NMI_MASK)) || !free {
            return Ok(());
        }
        if self.r.shadow {
            // Whether a shadow holds a virtual NMI, the manual does not say.
            return Err(Stop::Open);
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
