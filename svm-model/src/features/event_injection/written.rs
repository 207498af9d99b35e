//! EVENTINJ, and EXITINTINFO where a delivery does not get through.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::EventInjection;
use crate::arch::event;
use crate::case::{Draft, Insn, world};
use crate::cpu::CpuFeature;
use crate::rules as r;
use crate::vmcb::{Field, exit};

/// A page for an IDT, and its entries in both tables.
const IDT: u64 = world::DATA + 0x3000;
const L2_ENTRY: u64 = world::l2pt::PT + 3 * 8;
const NESTED_ENTRY: u64 = world::npt::PT + 3 * 8;

/// The reserved bits of EVENTINJ and EXITINTINFO.
const RESERVED: u64 = 0x7fff_f000;

fn inject(id: &str, event: u64) -> Draft {
    Draft::new(EventInjection, format!("injection/{id}"))
        .program(&[Insn::Nop])
        .set(Field::EVENTINJ, event)
}

pub(crate) fn cases() -> Vec<Draft> {
    [delivered(), undelivered()].concat()
}

fn delivered() -> Vec<Draft> {
    let gp = event::V | event::EXCEPTION | event::EV | 13 | 0x1234 << 32;
    let pf = event::V | event::EXCEPTION | event::EV | 14 | 7 << 32;
    let start = world::L2_CODE;
    vec![
        inject("exception", event::V | event::EXCEPTION | 6)
            .about([r::event_injection::DELIVERED, r::event_injection::RIP_PUSHED])
            .run()
            .takes(6, 0, start),
        inject("exception-with-error-code", gp)
            .about(r::event_injection::ERROR_PUSHED)
            .run()
            .takes(13, 0x1234, start),
        inject("page-fault-leaves-cr2", pf)
            .about([r::event_injection::DELIVERED, r::vmrun_state::LOAD_CR2])
            .set(Field::CR2, 0x5_6000)
            .run()
            .takes(14, 7, start)
            .field(Field::CR2, 0x5_6000),
        inject("interrupt-if-clear", event::V | event::INTR | 0x40)
            .about(r::event_injection::IGNORES_IF)
            .run()
            .takes(0x40, 0, start),
        inject("interrupt-if-set", event::V | event::INTR | 0x40)
            .about(r::event_injection::DELIVERED)
            .set(Field::RFLAGS, 0x202)
            .run()
            .takes(0x40, 0, start),
        inject("nmi", event::V | event::NMI | 2)
            .about(r::event_injection::DELIVERED)
            .run()
            .takes(2, 0, start),
        // What a software interrupt returns to is nRIP.
        inject("software-interrupt", event::V | event::SOFTWARE | 0x80)
            .about(r::event_injection::SOFT_INT_RIP)
            .needs(&[CpuFeature::NripSave])
            .set(Field::NRIP, start + 1)
            .run()
            .takes(0x80, 0, start + 1),
        inject("not-valid", event::EXCEPTION | 6).about(r::event_injection::VALID).run().ends(),
        // What is injected is not intercepted.
        inject("exception-not-intercepted", event::V | event::EXCEPTION | 6)
            .about(r::event_injection::NOT_INTERCEPTED)
            .intercept(exit::EXCP + 6)
            .run()
            .takes(6, 0, start),
        inject("interrupt-not-intercepted", event::V | event::INTR | 0x40)
            .about(r::event_injection::NOT_INTERCEPTED)
            .intercept(exit::INTR)
            .intercept(exit::VINTR)
            .run()
            .takes(0x40, 0, start),
        // It comes before a virtual interrupt.
        inject("before-virtual-interrupt", event::V | event::EXCEPTION | 6)
            .about(r::event_injection::BEFORE_PENDING)
            .set(Field::RFLAGS, 0x202)
            .set(Field::INT_CTL, 1 << 8 | 1 << 16)
            .set(Field::INT_VECTOR, 0x50)
            .run()
            .takes(6, 0, start)
            .field(Field::INT_CTL, 1 << 8 | 1 << 16),
        inject("again-after-exit", event::V | event::EXCEPTION | 6)
            .about([r::event_injection::DELIVERED, r::event_injection::VALID])
            .run()
            .takes(6, 0, start)
            .set(Field::EVENTINJ, 0)
            .set(Field::RIP, start)
            .run()
            .ends(),
    ]
}

/// The gate cannot be read, so that delivery ends in an exit.
fn undelivered() -> Vec<Draft> {
    let moved = |id, event| inject(id, event).set(Field::IDTR_BASE, IDT);
    let gp = event::V | event::EXCEPTION | event::EV | 13 | 0x1234 << 32;
    let page_fault = |id, event| {
        moved(id, event).poke(L2_ENTRY, 0).intercept(exit::EXCP + 14).run().exits(exit::EXCP + 14)
    };
    let nested_fault = |id, event| {
        moved(id, event)
            .needs(&[CpuFeature::Npt])
            .poke(NESTED_ENTRY, 0)
            .run()
            .exits(exit::NPF)
            .at(0)
            .field(Field::EXITINTINFO, event)
    };
    let gate_beyond_limit = |id, event| {
        inject(id, event)
            .set(Field::IDTR_LIMIT, 0)
            .intercept(exit::EXCP + 13)
            .run()
            .exits(exit::EXCP + 13)
            .at(0)
    };
    vec![
        page_fault("exception-then-pf", gp)
            .about([
                r::event_injection::FAULT_SETS_EXITINTINFO,
                r::event_injection::TYPE_EXCEPTION,
                r::event_injection::ERROR_CODE,
            ])
            .at(0)
            .field(Field::EXITINFO1, 0)
            .field(Field::EXITINFO2, IDT + 13 * 16)
            .field(Field::EXITINTINFO, gp),
        page_fault("interrupt-then-pf", event::V | event::INTR | 0x40)
            .about([r::event_injection::FAULT_SETS_EXITINTINFO, r::event_injection::TYPE_INTR])
            .at(0)
            .field(Field::EXITINTINFO, event::V | event::INTR | 0x40),
        page_fault("nmi-then-pf", event::V | event::NMI | 2)
            .about([r::event_injection::FAULT_SETS_EXITINTINFO, r::event_injection::TYPE_NMI])
            .at(0)
            .field(Field::EXITINTINFO, event::V | event::NMI | 2),
        nested_fault("exception-then-npf", gp)
            .about([
                r::event_injection::FAULT_SETS_EXITINTINFO,
                r::event_injection::TYPE_EXCEPTION,
                r::npt::INFO2,
            ])
            .field(Field::EXITINFO2, IDT + 13 * 16),
        nested_fault("interrupt-then-npf", event::V | event::INTR | 0x40)
            .about([
                r::event_injection::FAULT_SETS_EXITINTINFO,
                r::event_injection::TYPE_INTR,
                r::npt::INFO2,
            ])
            .field(Field::EXITINFO2, IDT + 0x40 * 16),
        // EVENTINJ's reserved bits are not handed back.
        inject("reserved-bits-then-npf", event::V | event::INTR | 0x40 | RESERVED)
            .about([r::event_injection::FAULT_SETS_EXITINTINFO, r::event_injection::TYPE_INTR])
            .needs(&[CpuFeature::Npt])
            .set(Field::IDTR_BASE, IDT)
            .poke(NESTED_ENTRY, 0)
            .run()
            .exits(exit::NPF)
            .at(0)
            .field(Field::EXITINTINFO, event::V | event::INTR | 0x40),
        // INT n is an event too.
        Draft::new(EventInjection, "injection/int-n-then-npf")
            .about([r::event_injection::FAULT_SETS_EXITINTINFO, r::event_injection::TYPE_SOFT])
            .needs(&[CpuFeature::Npt])
            .program(&[Insn::Int(0x80)])
            .set(Field::IDTR_BASE, IDT)
            .poke(NESTED_ENTRY, 0)
            .run()
            .exits(exit::NPF)
            .at(0)
            .field(Field::EXITINFO2, IDT + 0x80 * 16)
            .field(Field::EXITINTINFO, event::V | event::SOFTWARE | 0x80),
        Draft::new(EventInjection, "injection/ud-then-npf")
            .about([r::event_injection::FAULT_SETS_EXITINTINFO, r::event_injection::TYPE_EXCEPTION])
            .needs(&[CpuFeature::Npt])
            .program(&[Insn::Ud2])
            .set(Field::IDTR_BASE, IDT)
            .poke(NESTED_ENTRY, 0)
            .run()
            .exits(exit::NPF)
            .at(0)
            .field(Field::EXITINFO2, IDT + 6 * 16)
            .field(Field::EXITINTINFO, event::V | event::EXCEPTION | 6),
        // What delivery of an external event meets says so in its error code.
        gate_beyond_limit("interrupt-then-gp", event::V | event::INTR | 0x40)
            .about([
                r::event_injection::FAULT_SETS_EXITINTINFO,
                r::event_injection::TYPE_INTR,
                r::intercepts::EXCP_ERROR,
            ])
            .field(Field::EXITINFO1, 0x40 << 3 | 3)
            .field(Field::EXITINTINFO, event::V | event::INTR | 0x40),
        gate_beyond_limit("nmi-then-gp", event::V | event::NMI | 2)
            .about([
                r::event_injection::FAULT_SETS_EXITINTINFO,
                r::event_injection::TYPE_NMI,
                r::intercepts::EXCP_ERROR,
            ])
            .field(Field::EXITINFO1, 2 << 3 | 3)
            .field(Field::EXITINTINFO, event::V | event::NMI | 2),
        gate_beyond_limit("exception-then-gp", event::V | event::EXCEPTION | 6)
            .about([
                r::event_injection::FAULT_SETS_EXITINTINFO,
                r::event_injection::TYPE_EXCEPTION,
                r::intercepts::EXCP_ERROR,
            ])
            .field(Field::EXITINFO1, 6 << 3 | 2)
            .field(Field::EXITINTINFO, event::V | event::EXCEPTION | 6),
        inject("shutdown", gp)
            .about(r::intercepts::SHUTDOWN)
            .set(Field::IDTR_LIMIT, 0)
            .run()
            .exits(exit::SHUTDOWN)
            .field_open(Field::EXITINTINFO),
    ]
}
