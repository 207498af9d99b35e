//! Delivery through the guest's IDT in long mode (vol. 2, 8.9).

use crate::arch::flag;
use crate::case::world;
use crate::machine::delivery::{Event, Kind};
use crate::machine::paging::Access;
use crate::machine::registers::Segment;
use crate::machine::{Flow, Machine, Stop};
use crate::rules::{debug, event_injection};

/// Bytes of a gate.
const GATE: u64 = 16;

/// A gate, as far as delivery asks.
struct Gate {
    selector: u16,
    offset: u64,
    ist: u64,
    trap: bool,
}

/// Whether the processor pushes an error code with that exception.
pub(crate) const fn has_error_code(vector: u8) -> bool {
    matches!(vector, 8 | 10..=14 | 17 | 21 | 29 | 30)
}

impl Machine<'_> {
    /// Pushes the frame and enters the handler, or raises what goes wrong.
    /// On a fault the registers are as before.
    pub(crate) fn through_idt(&mut self, event: &Event) -> Flow {
        if !self.r.long_mode() || self.guest.is_none() {
            return Err(Stop::Open);
        }
        let gate = self.gate(event)?;
        if gate.selector != world::L2_CS || !self.own_gdt() {
            return Err(Stop::Open);
        }
        let stack = self.handler_stack(&gate)?;
        let rip = match event.return_rip {
            Some(rip) => rip,
            None => self.t.said(event_injection::RIP_PUSHED, self.r.rip),
        };
        let frame = [
            u64::from(self.r.ss.selector),
            self.r.gpr[4],
            self.pushed_flags(event),
            u64::from(self.r.cs.selector),
            rip,
        ];
        let mut rsp = stack;
        for value in frame.into_iter().chain(event.error.map(u64::from)) {
            rsp = rsp.wrapping_sub(8);
            self.push(rsp, value)?;
        }
        if event.error.is_some_and(|e| e >> 31 == 1) && !has_error_code(event.vector) {
            // The handler takes the error code for its RIP, of which the upper half is not defined.
            return Err(Stop::Open);
        }
        self.enter_handler(&gate, rsp);
        Ok(())
    }

    /// Whether the GDT is where the world has it.
    pub(crate) fn own_gdt(&self) -> bool {
        self.r.gdtr.base == world::L2_GDT && self.r.gdtr.limit >= 0x3f
    }

    fn gate(&mut self, event: &Event) -> Flow<Gate> {
        let soft = matches!(event.kind, Kind::SoftInterrupt | Kind::SoftException);
        // EXT: the event came from outside the processor.
        let external = u32::from(matches!(event.kind, Kind::Interrupt | Kind::Nmi));
        let error = u32::from(event.vector) << 3 | 2 | external;
        let offset = u64::from(event.vector) * GATE;
        if offset + GATE - 1 > u64::from(self.r.idtr.limit) {
            return Err(self.gp(error));
        }
        let at = self.r.idtr.base.wrapping_add(offset);
        if !self.r.canonical(at) {
            // Whether the #GP for the address names the gate, the manual does not say.
            return Err(Stop::Open);
        }
        let pa = self.translate(at, Access::SYSTEM_READ)?;
        let (low, high) = (self.mem.read(pa, 8), self.mem.read(pa + 8, 8));
        let kind = low >> 40 & 0x1f;
        if !matches!(kind, 0xe | 0xf) {
            return Err(self.gp(error));
        }
        if soft && (low >> 45 & 3) < u64::from(self.r.cpl) {
            return Err(self.gp(error));
        }
        if low >> 47 & 1 == 0 {
            return Err(Stop::Raise(Event::coded(11, error)));
        }
        Ok(Gate {
            selector: (low >> 16) as u16,
            offset: low & 0xffff | low >> 32 & 0xffff_0000 | high << 32,
            ist: low >> 32 & 7,
            trap: kind == 0xf,
        })
    }

    /// The stack pointer that the handler starts from, aligned to 16.
    fn handler_stack(&mut self, gate: &Gate) -> Flow<u64> {
        let slot = match (gate.ist, self.r.cpl) {
            (0, 0) => return Ok(self.r.gpr[4] & !15),
            (0, _) => 4,
            (ist, _) => 0x24 + 8 * (ist - 1),
        };
        let at = self.r.hidden.tr.base.wrapping_add(slot);
        let pa = self.translate(at, Access::SYSTEM_READ)?;
        Ok(self.mem.read(pa, 8) & !15)
    }

    fn push(&mut self, rsp: u64, value: u64) -> Flow {
        if !self.r.canonical(rsp) {
            return Err(Stop::Raise(Event::coded(12, 0)));
        }
        let pa = self.translate(rsp, Access::SYSTEM_WRITE)?;
        self.watch(rsp, 8, true)?;
        self.mem.write(pa, 8, value);
        Ok(())
    }

    /// RFLAGS as an event pushes them.
    fn pushed_flags(&mut self, event: &Event) -> u64 {
        let flags = self.r.rflags;
        match event.kind {
            Kind::Interrupt | Kind::Nmi => self.t.said(debug::RF_INTERRUPT, flags),
            Kind::SoftInterrupt | Kind::SoftException | Kind::Icebp => {
                self.t.said(debug::RF_SOFTWARE, flags & !flag::RF)
            }
            Kind::Exception if event.vector == 8 => flags,
            // What general detect pushes, a fault too, the manual does not say apart.
            Kind::Exception if event.vector == 1 => self.t.said(debug::RF_DEBUG, flags & !flag::RF),
            Kind::Exception => flags | self.t.said(debug::RF_FAULT, flag::RF),
        }
    }

    fn enter_handler(&mut self, gate: &Gate, rsp: u64) {
        let r = &mut self.r;
        if r.cpl != 0 {
            r.ss = Segment { selector: 0, ..r.ss };
            self.null_ss = true;
        }
        r.cs = Segment { selector: gate.selector, attrib: 0xa9b, limit: u32::MAX, base: 0 };
        r.cpl = 0;
        r.gpr[4] = rsp;
        r.rip = gate.offset;
        r.rflags &= !(flag::NT | flag::RF | flag::VM);
        if self.t.does(debug::TF_INJECT) {
            r.rflags &= !flag::TF;
        }
        if !gate.trap {
            r.rflags &= !flag::IF;
        }
    }
}
