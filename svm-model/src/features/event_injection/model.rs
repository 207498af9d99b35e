//! EVENTINJ and EXITINTINFO (15.20, 15.7.2).

use crate::arch::vmcb::Field;
use crate::arch::{cr0, efer, flag};
use crate::features::nrip;
use crate::features::vmexit::model::bit;
use crate::features::vmrun::checks::Checks;
use crate::machine::delivery::{Event, Kind};
use crate::machine::guest::Guest;
use crate::machine::{Flow, Machine, Scene};
use crate::rules::{event_injection, vmexit};

impl Checks<'_> {
    pub(crate) fn injection(&mut self) {
        let event = self.get(Field::EVENTINJ);
        if !self.t.rule(event_injection::VALID, event >> 31 & 1 == 1) {
            return;
        }
        let (kind, vector) = (event >> 8 & 7, event & 0xff);
        let reserved = matches!(kind, 1 | 5 | 6 | 7);
        self.refuse(event_injection::TYPE_RESERVED, Field::EVENTINJ, reserved);
        if kind != 3 {
            return;
        }
        let mode64 = self.get(Field::EFER) & efer::LME != 0
            && self.get(Field::CR0) & cr0::PG != 0
            && self.get(Field::CS_ATTRIB) & 0x200 != 0
            && self.get(Field::RFLAGS) & flag::VM == 0;
        let rows = [
            (event_injection::VECTOR_NOT_EXCEPTION, vector == 2 || vector > 31),
            (event_injection::VECTOR_RESERVED, matches!(vector, 9 | 15 | 20 | 22..=27 | 31)),
            (event_injection::IMPOSSIBLE, mode64 && matches!(vector, 4 | 5)),
        ];
        for (rule, condition) in rows {
            self.refuse(rule, Field::EVENTINJ, condition);
        }
    }
}

impl Machine<'_> {
    /// Delivers what EVENTINJ asks for, ahead of all that is pending.
    pub(crate) fn inject_first(&mut self, event: Event) -> Flow {
        self.leaves(event_injection::BEFORE_PENDING, Scene::Here)?;
        let masked = event.kind == Kind::Interrupt && !self.interrupts_on();
        let delivered = !masked || self.t.does(event_injection::IGNORES_IF);
        if delivered && self.t.does(event_injection::DELIVERED) {
            self.inject(event)?;
        }
        Ok(())
    }

    /// An event from EVENTINJ, on which no intercept applies.
    pub(crate) fn inject(&mut self, event: Event) -> Flow {
        self.leaves(event_injection::NOT_INTERCEPTED, Scene::Event(&event))?;
        if event.kind == Kind::Nmi {
            self.nmi_injected()?;
        }
        self.vector_through(event)
    }

    /// What EVENTINJ asks for, as an event.
    pub(crate) fn injected(&mut self) -> Option<Event> {
        let info = self.guest.as_ref()?.ctl.get(Field::EVENTINJ);
        let nrip = self.guest.as_ref()?.ctl.get(Field::NRIP);
        if info >> 31 & 1 == 0 {
            return None;
        }
        let vector = info as u8;
        let kind = match info >> 8 & 7 {
            0 => Kind::Interrupt,
            2 => Kind::Nmi,
            4 => Kind::SoftInterrupt,
            _ if matches!(vector, 3 | 4) => Kind::SoftException,
            _ => Kind::Exception,
        };
        let coded = self.t.rule(event_injection::ERROR_PUSHED, info >> 11 & 1 == 1);
        let offered = nrip::supported(&self.platform);
        let soft = matches!(kind, Kind::SoftInterrupt | Kind::SoftException);
        let next = soft && self.t.rule(event_injection::SOFT_INT_RIP, offered);
        Some(Event {
            error: coded.then_some((info >> 32) as u32),
            return_rip: next.then_some(nrip),
            ..Event::new(if kind == Kind::Nmi { 2 } else { vector }, kind)
        })
    }

    pub(crate) fn save_event(&mut self, guest: &Guest) -> Flow {
        let idle = guest.delivering.is_none();
        if self.t.rule(vmexit::EXITINTINFO_IDLE, idle) {
            self.mem.set_field(guest.vmcb_pa, Field::EXITINTINFO, 0);
            return Ok(());
        }
        let Some(event) = guest.delivering else { return Ok(()) };
        self.leaves(event_injection::FAULT_KEEPS_RIP, Scene::Here)?;
        let info = self.exitintinfo(&event);
        if event.error.is_none() && guest.ctl.get(Field::EVENTINJ) >> 32 != 0 {
            // Without EV the error code is undefined; what was injected may be what is there.
            self.open_fields |= bit(Field::EXITINTINFO);
        }
        if self.t.does(event_injection::FAULT_SETS_EXITINTINFO) {
            self.mem.set_field(guest.vmcb_pa, Field::EXITINTINFO, info);
        }
        Ok(())
    }

    /// EXITINTINFO for an event whose delivery was cut short.
    pub(crate) fn exitintinfo(&mut self, event: &Event) -> u64 {
        let (rule, kind) = match event.kind {
            Kind::Interrupt => (event_injection::TYPE_INTR, 0),
            Kind::Nmi => (event_injection::TYPE_NMI, 2),
            Kind::Exception | Kind::SoftException | Kind::Icebp => {
                (event_injection::TYPE_EXCEPTION, 3)
            }
            Kind::SoftInterrupt => (event_injection::TYPE_SOFT, 4),
        };
        let kind = self.t.said(rule, kind);
        let error = if self.t.rule(event_injection::ERROR_CODE, event.error.is_some()) {
            1 << 11 | u64::from(event.error.unwrap_or(0)) << 32
        } else {
            0
        };
        u64::from(event.vector) | kind << 8 | 1 << 31 | error
    }
}
