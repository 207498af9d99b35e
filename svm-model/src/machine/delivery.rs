//! Exceptions and interrupts on their way into the guest: intercepts, double
//! and triple faults, injection (15.12, 15.14.3, 15.20).

use crate::arch::vmcb::Field;
use crate::arch::{debugctl, dr, exit, flag, intercept};
use crate::features::nrip::model::NextRip;
use crate::features::vmexit::model::{GUEST_STATE, Reason, SHUTDOWN_HOST, bit};
use crate::machine::{Flow, Machine, Scene, Stop};
use crate::rules::{RuleId, debug, event_injection, intercepts, lbrv};

/// What kind of event, as delivery and EXITINTINFO tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// External or virtual interrupt.
    Interrupt,
    /// NMI.
    Nmi,
    /// Exception.
    Exception,
    /// The exception of INT3 or INTO.
    SoftException,
    /// INTn.
    SoftInterrupt,
    /// INT1.
    Icebp,
}

/// An event for the IDT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) vector: u8,
    pub(crate) kind: Kind,
    pub(crate) error: Option<u32>,
    /// The RIP to push, where it is not the current one.
    pub(crate) return_rip: Option<u64>,
    /// Linear address of a page fault.
    pub(crate) address: Option<u64>,
    /// Bits that a #DB sets in DR6.
    pub(crate) dr6: u64,
    /// The fault was the instruction's own fetch.
    pub(crate) fetch: bool,
}

impl Event {
    pub(crate) const fn new(vector: u8, kind: Kind) -> Event {
        Event { vector, kind, error: None, return_rip: None, address: None, dr6: 0, fetch: false }
    }

    /// A fault without an error code.
    pub(crate) const fn fault(vector: u8) -> Event {
        Event::new(vector, Kind::Exception)
    }

    /// A fault with an error code.
    pub(crate) const fn coded(vector: u8, error: u32) -> Event {
        Event { error: Some(error), ..Event::new(vector, Kind::Exception) }
    }

    /// #PF.
    pub(crate) const fn page_fault(address: u64, error: u32, fetch: bool) -> Event {
        Event { address: Some(address), fetch, ..Event::coded(14, error) }
    }

    /// A #DB trap that sets those bits of DR6.
    pub(crate) const fn debug(dr6: u64) -> Event {
        Event { dr6, ..Event::fault(1) }
    }

    fn contributory(&self) -> bool {
        matches!(self.vector, 0 | 10..=13) && self.kind == Kind::Exception
    }

    fn is_debug(&self) -> bool {
        self.vector == 1 && matches!(self.kind, Kind::Exception | Kind::Icebp)
    }

    fn page(&self) -> bool {
        self.vector == 14 && self.kind == Kind::Exception
    }
}

impl Machine<'_> {
    /// #GP.
    pub(crate) fn gp(&self, error: u32) -> Stop {
        Stop::Raise(Event::coded(13, error))
    }

    /// #UD.
    pub(crate) fn ud(&self) -> Stop {
        Stop::Raise(Event::fault(6))
    }

    /// An event that the guest's own instruction or a pending interrupt caused.
    pub(crate) fn deliver(&mut self, event: Event) -> Flow {
        self.intercept_exception(&event)?;
        self.vector_through(event)
    }

    /// Delivery, and what a fault during it turns into.
    pub(crate) fn vector_through(&mut self, first: Event) -> Flow {
        let mut event = first;
        // An event, the fault in it, #DF, shutdown: no chain is longer, unless a rule is broken.
        for _ in 0..8 {
            self.commit_side_effects(&event)?;
            self.set_delivering(Some(event));
            self.hits = 0;
            let by_branch = self.steps_branches();
            match self.through_idt(&event) {
                Ok(()) => {
                    self.set_delivering(None);
                    if self.t.does(event_injection::ENDS_SHADOW) {
                        self.r.shadow = false;
                    }
                    // When an event that BTF steps traps, in or in front of its handler, is not described.
                    let of_debug = first.is_debug() || event.is_debug();
                    return if by_branch { Err(Stop::Open) } else { self.delivered(of_debug) };
                }
                // Whether what a delivery met is lost with it is open.
                Err(Stop::Raise(_)) if self.hits != 0 => return Err(Stop::Open),
                Err(Stop::Raise(second)) => event = self.escalate(event, second)?,
                Err(stop) => return Err(stop),
            }
        }
        Err(Stop::Open)
    }

    /// Whether TF steps transfers of control alone.
    fn steps_branches(&self) -> bool {
        self.r.rflags & flag::TF != 0 && self.r.branches.debugctl & debugctl::BTF != 0
    }

    /// The trap for what was met of breakpoints, in front of the handler: that of a #DB, or of
    /// what the delivery of one has raised, or of another event.
    fn delivered(&mut self, of_debug: bool) -> Flow {
        let mut bits = core::mem::take(&mut self.hits);
        if of_debug {
            if bits != 0 && self.t.does(debug::STREAM) {
                bits = self.waits_in_stream(bits)?;
            }
        } else {
            bits |= core::mem::take(&mut self.deferred_hits);
        }
        if bits == 0 {
            return Ok(());
        }
        self.budget = self.budget.checked_sub(1).ok_or(Stop::Open)?;
        self.deliver(Event::debug(bits))
    }

    /// A #DB has met breakpoints: what is pending comes first. What is left to report then.
    fn waits_in_stream(&mut self, bits: u64) -> Flow<u64> {
        // Whether DR6 shows a trap that an exit has forestalled is not described.
        let open = core::mem::replace(&mut self.open_dr6, true);
        self.deferred_hits = bits;
        let taken = self.boundary();
        let left = core::mem::take(&mut self.deferred_hits);
        taken?;
        self.open_dr6 = open;
        Ok(left)
    }

    /// The event that a second fault during delivery makes (vol. 2, 8.2.9).
    fn escalate(&mut self, event: Event, second: Event) -> Flow<Event> {
        if event.kind == Kind::Icebp {
            // Whether RIP is that of INT1 then, or behind it, is not said.
            return Err(Stop::Open);
        }
        if self.t.does(event_injection::INTERMEDIATE_INTERCEPT) {
            self.intercept_exception(&second)?;
        }
        if self
            .t
            .rule(event_injection::TRIPLE_FAULT, event.vector == 8 && event.kind == Kind::Exception)
        {
            return self.shutdown();
        }
        let double = event.contributory() && second.contributory()
            || event.page() && (second.contributory() || second.page());
        if self.t.rule(event_injection::DOUBLE_FAULT, double) {
            if let Some(address) = second.address {
                self.r.cr2 = address;
            }
            let double = Event::coded(8, 0);
            self.set_delivering(None);
            self.intercept_exception(&double)?;
            return Ok(double);
        }
        Ok(second)
    }

    fn shutdown<T>(&mut self) -> Flow<T> {
        let wanted = self.wants(intercept::SHUTDOWN);
        self.set_delivering(None);
        if wanted && self.t.does(intercepts::SHUTDOWN) {
            // The guest state is undefined after a shutdown; only the reason is told.
            let vmcb = self.guest.as_ref().map_or(0, |g| g.vmcb_pa);
            let stop = self.exit(Reason::new(exit::SHUTDOWN, NextRip::None));
            self.open_fields |= GUEST_STATE | bit(Field::EXITINTINFO);
            self.carried.set(vmcb, self.open_fields);
            self.open_host = SHUTDOWN_HOST;
            return stop;
        }
        Err(Stop::Open)
    }

    fn set_delivering(&mut self, event: Option<Event>) {
        if let Some(guest) = &mut self.guest {
            guest.delivering = event;
        }
    }

    /// What an exception that is not intercepted writes: CR2, DR6.
    fn commit_side_effects(&mut self, event: &Event) -> Flow {
        if let Some(address) = event.address {
            self.r.cr2 = address;
        }
        // Which records an exception or interrupt leaves is not described.
        self.open_branches |= self.r.branches.debugctl & 1 != 0;
        if event.vector == 1 && event.kind == Kind::Icebp {
            if self.r.branches.debugctl & (debugctl::LBR | debugctl::BTF) != 0 {
                // It raises #DB and leaves DR6 alone; whether it leaves DebugCtl is not described.
                return Err(Stop::Open);
            }
            self.leaves(debug::ICEBP_DB, Scene::Here)?;
            self.r.dr7 &= !dr::DR7_GD;
        }
        if event.vector == 1 && event.kind == Kind::Exception {
            self.debug_status(event.dr6);
            self.r.dr7 &= !dr::DR7_GD;
            if self.open_branches && self.t.does(lbrv::DB_CLEARS) {
                self.r.branches.debugctl &= !1;
            }
        }
        Ok(())
    }

    /// Whether the exception intercepts see an event.
    fn is_exception(&mut self, event: &Event) -> bool {
        match event.kind {
            Kind::Exception | Kind::SoftException => true,
            Kind::Icebp => self.t.said(intercepts::ICEBP_NOT_DB, false),
            Kind::SoftInterrupt => {
                event.vector < 32 && self.t.said(intercepts::SWINT_NOT_EXCEPTION, false)
            }
            Kind::Nmi => self.t.said(intercepts::EXCP_2_IGNORED, false),
            Kind::Interrupt => false,
        }
    }

    /// Exits if the exception is intercepted.
    pub(crate) fn intercept_exception(&mut self, event: &Event) -> Flow {
        if !self.is_exception(event) {
            return Ok(());
        }
        let wanted = self.intercepts(Field::INTERCEPT_EXCEPTIONS, event.vector & 31);
        let taken = match exception_rule(event.vector) {
            Some(rule) => self.t.rule(rule, wanted),
            None => wanted,
        };
        let soft = event.kind == Kind::SoftException;
        if !taken || soft && !self.t.said(intercepts::EXCP_BP_INT3, true) {
            return Ok(());
        }
        if event.vector == 1 && self.t.does(intercepts::EXCP_DB_DR6) {
            self.debug_status(event.dr6);
        }
        if event.vector == 1 && self.t.does(intercepts::EXCP_DB_DR7) {
            self.r.dr7 &= !dr::DR7_GD;
        }
        if event.address.is_some() {
            self.leaves(intercepts::EXCP_PF_CR2_KEPT, Scene::Here)?;
        }
        let info1 = self.t.said(intercepts::EXCP_ERROR, event.error.map(u64::from));
        let info2 = self.t.said(intercepts::EXCP_PF_CR2, event.address);
        self.exit(Reason {
            info1,
            info2,
            data_fault: event.vector == 14 && !event.fetch,
            fetch_fault: event.vector == 14 && event.fetch,
            ..Reason::new(
                exit::EXCP + u64::from(event.vector),
                if soft { NextRip::SoftException } else { NextRip::None },
            )
        })
    }
}

fn exception_rule(vector: u8) -> Option<RuleId> {
    Some(match vector {
        0 => intercepts::EXCP_DE,
        1 => intercepts::EXCP_DB,
        3 => intercepts::EXCP_BP,
        4 => intercepts::EXCP_OF,

        6 => intercepts::EXCP_UD,
        7 => intercepts::EXCP_NM,
        8 => intercepts::EXCP_DF,
        11 => intercepts::EXCP_NP,
        12 => intercepts::EXCP_SS,
        13 => intercepts::EXCP_GP,
        14 => intercepts::EXCP_PF,
        17 => intercepts::EXCP_AC,
        _ => return None,
    })
}
