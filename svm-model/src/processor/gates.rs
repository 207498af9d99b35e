//! What the delivery of an event, and a far CALL through a gate, meet in L2's descriptor
//! tables and its TSS: gates, code segments and stacks that cannot be used.
//!
//! Error codes name what is at fault: the gate by its vector with bit 1 set, a segment by
//! its selector; bit 0 tells that the event came from outside the processor (APM vol. 2,
//! 8.4). What was being delivered is in EXITINTINFO.

mod calls;
mod tables;

use alloc::format;
use alloc::vec::Vec;

use crate::Feature::EventInjection;
use crate::arch::event;
use crate::case::mode::Mode;
use crate::case::{About, Draft, Insn, Step, world};
use crate::vmcb::{Field, exit};
use tables::{Gate, IDT_STEP, Shape, handler};

const TS: u8 = 10;
const NP: u8 = 11;
const SS: u8 = 12;
const GP: u8 = 13;

/// An event, and whether it comes from outside the processor.
struct Event {
    name: &'static str,
    insn: Insn,
    injected: u64,
    vector: u8,
    flying: u64,
    external: bool,
}

fn events() -> [Event; 3] {
    let intr = event::V | event::INTR | 0x30;
    let of = |name, insn, injected, vector, flying| Event {
        name,
        insn,
        injected,
        vector,
        flying,
        external: injected != 0,
    };
    [
        of("int", Insn::Int(0x30), 0, 0x30, event::V | event::SOFTWARE | 0x30),
        of("ud", Insn::Ud2, 0, 6, event::V | event::EXCEPTION | 6),
        of("intr", Insn::Nop, intr, 0x30, intr),
    ]
}

/// What an error code names.
#[derive(Clone, Copy)]
enum Names {
    Gate,
    Selector(u16),
}

/// A gate that leads nowhere.
struct Bad {
    name: &'static str,
    gate: Gate,
    raises: u8,
    names: Names,
}

const fn bad(name: &'static str, gate: Gate, raises: u8, names: Names) -> Bad {
    Bad { name, gate, raises, names }
}

const fn through(selector: u16) -> Gate {
    Gate { selector, kind: 0xee, ist: 0 }
}

const fn code(name: &'static str, selector: u16, raises: u8) -> Bad {
    bad(name, through(selector), raises, Names::Selector(selector & !3))
}

/// In every mode, at CPL 0 and 3.
const EVERYWHERE: &[Bad] = &[
    bad("call-gate", Gate { selector: 8, kind: 0xec, ist: 0 }, GP, Names::Gate),
    bad("gate-absent", Gate { selector: 8, kind: 0x6e, ist: 0 }, NP, Names::Gate),
    code("null-cs", 0, GP),
    code("null-cs-rpl", 3, GP),
    code("cs-beyond-gdt", 0x100, GP),
    code("cs-in-no-ldt", 0x0c, GP),
    code("cs-is-data", tables::DATA0, GP),
    code("cs-is-ldt", tables::LDT, GP),
];

const LEGACY: &[Bad] = &[
    bad("task-gate-absent", Gate { selector: 8, kind: 0x65, ist: 0 }, NP, Names::Gate),
    code("cs-absent", tables::CODE_ABSENT, NP),
];

const LONG: &[Bad] = &[
    bad("task-gate", Gate { selector: 8, kind: 0xe5, ist: 0 }, GP, Names::Gate),
    code("cs-absent", tables::CODE64_ABSENT, NP),
    code("cs-32", tables::CODE0, GP),
    code("cs-long-and-32", tables::CODE64_AND_32, GP),
];

pub(crate) fn cases() -> Vec<Draft> {
    let mut all = Vec::new();
    for shape in [Shape::Legacy, Shape::Long] {
        for user in [false, true] {
            for event in events() {
                good(&mut all, shape, user, &event);
                gates(&mut all, shape, user, &event);
                stacks(&mut all, shape, user, &event);
            }
        }
    }
    virtual_8086(&mut all);
    all.push(real());
    all.extend(calls::cases());
    all
}

/// L2 about to meet `event`, whose gate is that.
fn draft(id: &str, shape: Shape, user: bool, event: &Event, gate: Gate) -> Draft {
    let name = format!("gates/{}-cpl={}-{}-{id}", shape.name(), 3 * u8::from(user), event.name);
    let new = Draft::new(EventInjection, name)
        .about(About::Section("8.4"))
        .program(core::slice::from_ref(&event.insn))
        .set(Field::EVENTINJ, event.injected);
    let new = shape.mode().enter(tables::laid_out(new, shape), world::L2_CODE, user);
    tables::gate(new, shape, event.vector, gate, handler(event.vector))
}

fn error(event: &Event, names: Names) -> u64 {
    let code = match names {
        Names::Gate => u64::from(event.vector) << 3 | 2,
        Names::Selector(selector) => selector.into(),
    };
    code | u64::from(event.external)
}

/// The fault is intercepted.
fn intercepted(draft: Draft, event: &Event, raises: u8, error: u64, rip: u64) -> Draft {
    let code = exit::EXCP + u64::from(raises);
    draft
        .intercept(code)
        .run()
        .exits(code)
        .field(Field::RIP, rip)
        .field(Field::EXITINFO1, error)
        .field(Field::EXITINTINFO, event.flying)
}

/// Where L2 is when a frame of so many words is on the stack that belongs there.
fn in_handler(draft: Draft, shape: Shape, user: bool, vector: u8, error: bool) -> Draft {
    let stack = if user { tables::INNER } else { tables::STACK };
    draft
        .run()
        .exits(exit::VMMCALL)
        .field(Field::RIP, handler(vector))
        .field(Field::RSP, stack - shape.frame(user, error))
        .field(Field::CPL, 0)
}

/// Nothing is wrong.
fn good(all: &mut Vec<Draft>, shape: Shape, user: bool, event: &Event) {
    let new = draft("good", shape, user, event, through(shape.code()));
    all.push(in_handler(new, shape, user, event.vector, false));
}

fn gates(all: &mut Vec<Draft>, shape: Shape, user: bool, event: &Event) {
    let of_mode = if shape == Shape::Legacy { LEGACY } else { LONG };
    let outer = [code("cs-outer", shape.user_code(), GP)];
    let privilege =
        [bad("dpl", Gate { selector: shape.code(), kind: 0x8e, ist: 0 }, GP, Names::Gate)];
    let outer = if user { &[][..] } else { &outer[..] };
    let software = matches!(event.insn, Insn::Int(_));
    let privilege = if user && software { &privilege[..] } else { &[] };
    for bad in EVERYWHERE.iter().chain(of_mode).chain(outer).chain(privilege) {
        let new = |how| draft(&format!("{}{how}", bad.name), shape, user, event, bad.gate);
        let error = error(event, bad.names);
        all.push(intercepted(new(""), event, bad.raises, error, world::L2_CODE));
        let taken = in_handler(new("-taken"), shape, user, bad.raises, true);
        let stack = if user { tables::INNER } else { tables::STACK };
        all.push(
            taken.step(Step::Peek { pa: stack - shape.frame(user, true), width: 4 }).value(error),
        );
    }
    // The table ends within the gate.
    let limit = (u64::from(event.vector) + 1) * IDT_STEP[shape as usize] - 2;
    let new = draft("beyond-idt", shape, user, event, through(shape.code()));
    let new = new.set(Field::IDTR_LIMIT, limit);
    all.push(intercepted(new, event, GP, error(event, Names::Gate), world::L2_CODE));
}

/// The stack of the handler, which the TSS names.
fn stacks(all: &mut Vec<Draft>, shape: Shape, user: bool, event: &Event) {
    for stack in tables::STACKS {
        let from_ist = stack.tss.ist != 0;
        if !stack.shapes.contains(&shape) || user == from_ist {
            continue;
        }
        let gate = Gate { ist: stack.tss.ist, ..through(shape.code()) };
        let new = |how| {
            let new = draft(&format!("{}{how}", stack.name), shape, user, event, gate);
            tables::with_tss(new, shape, &stack.tss)
        };
        // An address that is not canonical has the error code zero, whatever the event.
        let external = event.external && stack.tss.rsp == tables::INNER;
        let error = u64::from(stack.selector) | u64::from(external);
        all.push(intercepted(new(""), event, stack.raises, error, world::L2_CODE));
        if user {
            all.push(no_way_out(new("-taken")));
        }
    }
}

/// What the fault's own delivery meets is the same, and so it goes on.
fn no_way_out(draft: Draft) -> Draft {
    draft.run().exits(exit::SHUTDOWN).field_open(Field::EXITINTINFO)
}

/// A handler in Virtual-8086 mode's own privilege is none.
fn virtual_8086(all: &mut Vec<Draft>) {
    for event in events().iter().filter(|event| event.name != "int") {
        let new = |id: &str, gate| {
            let name = format!("gates/virtual-8086-{}-{id}", event.name);
            let new = Draft::new(EventInjection, name)
                .about(About::Section("8.4"))
                .program(core::slice::from_ref(&event.insn))
                .set(Field::EVENTINJ, event.injected);
            let new = tables::laid_out(new, Shape::Legacy);
            let new = Mode::Virtual8086.enter(new, world::L2_CODE, true).set(Field::CPL, 3);
            tables::gate(new, Shape::Legacy, event.vector, gate, handler(event.vector))
        };
        // Behind the frame of an outer level lie ES, DS, FS and GS.
        all.push(
            new("good", through(tables::CODE0))
                .run()
                .exits(exit::VMMCALL)
                .field(Field::RIP, handler(event.vector))
                .field(Field::RSP, tables::INNER - 36)
                .field(Field::CPL, 0),
        );
        for (id, selector) in [("cs-outer", tables::CODE3), ("cs-conforming", tables::CONFORMING)] {
            let new = new(id, through(selector));
            let error = u64::from(selector) | u64::from(event.external);
            all.push(intercepted(new, event, GP, error, 0));
        }
    }
}

/// Real mode has a table with a limit, too. Whether its #GP has an error code for
/// EXITINFO1 is not said.
fn real() -> Draft {
    let new = Draft::new(EventInjection, "gates/real-beyond-idt")
        .about(About::Section("8.4"))
        .program(&[Insn::Int(0x30)])
        .set(Field::IDTR_LIMIT, 4 * 0x30 + 2)
        .intercept(exit::EXCP + u64::from(GP));
    Mode::Real
        .enter(new, world::L2_CODE, false)
        .run()
        .exits(exit::EXCP + u64::from(GP))
        .field(Field::RIP, 0)
        .field(Field::EXITINTINFO, event::V | event::SOFTWARE | 0x30)
}
