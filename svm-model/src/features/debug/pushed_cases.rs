//! RF in the RFLAGS that events push (vol. 2, 3.1.6), and the step of HLT.

use alloc::format;

use crate::arch::{dr, event, flag, int_ctl, int_state};
use crate::case::draft::on;
use crate::case::{Draft, Event, Insn, Step, world};
use crate::cases::Cases;
use crate::vmcb::Field;

use super::trap_cases::{DB, ON_WRITE, WATCHED, draft, enabled};

const IF: u64 = flag::FIXED | flag::IF;
/// Where an event at CPL 0 pushes RFLAGS.
const PUSHED: u64 = world::L2_STACK - 24;

pub(crate) fn cases(out: &mut Cases) {
    pushed(out);
    halted(out);
}

/// What an event does to a case.
type Arranged = fn(Draft) -> Draft;

/// RF in the RFLAGS that each kind of event pushes, with RF set and clear before.
fn pushed(out: &mut Cases) {
    let rows: &[(&str, Arranged)] = &[
        ("intr", |d| d.program(&[Insn::Nop]).clgi().raise(Event::Intr(0x61))),
        ("nmi", |d| d.program(&[Insn::Nop]).clgi().raise(Event::Nmi)),
        ("virq", |d| {
            d.program(&[Insn::Nop])
                .set(Field::INT_CTL, int_ctl::V_IRQ | int_ctl::V_IGN_TPR)
                .set(Field::INT_VECTOR, 0x62)
        }),
        ("inject-intr", |d| d.program(&[Insn::Nop]).set(Field::EVENTINJ, event::V | 0x61)),
        ("inject-nmi", |d| d.program(&[Insn::Nop]).set(Field::EVENTINJ, event::V | event::NMI | 2)),
        ("inject-ud", |d| {
            d.program(&[Insn::Nop]).set(Field::EVENTINJ, event::V | event::EXCEPTION | 6)
        }),
        ("ud", |d| d.program(&[Insn::Ud2])),
        ("de", |d| d.program(&[Insn::Divide])),
        ("pf", |d| d.program(&[Insn::Load(0, WATCHED)]).poke(world::l2pt::PT + 8, 0)),
        ("int", |d| d.program(&[Insn::Int(0x40)])),
        ("int3", |d| d.program(&[Insn::Int3])),
        ("second", |d| d.program(&[Insn::Nop, Insn::Ud2])),
        ("sti-intr", |d| d.program(&[Insn::Nop, Insn::Int(0x40)])),
    ];
    for (name, arranged) in rows {
        for rf in [0, flag::RF] {
            let case = arranged(draft(format!("pushed,{name},rf={}", on(rf != 0))));
            out.push(case.set(Field::RFLAGS, IF | rf).run().peek(PUSHED).case());
        }
    }
    let traps: &[(&str, u64, u64)] = &[
        ("step", dr::DR7_ONES, flag::TF),
        ("execution", enabled(0, 0, 0), 0),
        ("data", enabled(1, ON_WRITE, 0), 0),
    ];
    for (name, dr7, tf) in traps {
        let program = [Insn::Nop, Insn::Store(WATCHED), Insn::Nop];
        let case = draft(format!("pushed,{name}")).program(&program);
        let case = case.step(Step::WriteDr(0, world::L2_CODE + 1)).step(Step::WriteDr(1, WATCHED));
        let case = case.set(Field::DR7, *dr7).set(Field::RFLAGS, flag::FIXED | tf).run();
        out.push(case.peek(PUSHED).case());
    }
}

/// The step of HLT is there when HLT ends, in front of what ended it.
fn halted(out: &mut Cases) {
    for tf in [0, flag::TF] {
        for intercepted in [false, true] {
            for intr in [false, true] {
                let id = format!("hlt,tf={},db={},intr={}", on(tf != 0), on(intercepted), on(intr));
                let case = draft(id).program(&[Insn::Hlt, Insn::Nop, Insn::Nop]);
                let case = case.set(Field::INT_STATE, int_state::SHADOW);
                let case = case.set(Field::RFLAGS, IF | tf);
                let case = if intr {
                    case.clgi().raise(Event::Intr(0x61))
                } else {
                    case.set(Field::INT_CTL, int_ctl::V_IRQ | int_ctl::V_IGN_TPR)
                        .set(Field::INT_VECTOR, 0x62)
                };
                let case = if intercepted { case.intercept(DB) } else { case };
                out.push(case.run().stgi().step(Step::Window).case());
            }
        }
    }
}
