//! Virtual NMI: pending, masked, injected, held by a clear V_GIF.

use alloc::format;

use crate::Feature::Vnmi;
use crate::arch::int_ctl::{V_GIF, V_GIF_ENABLE, V_INTR_MASKING, V_NMI, V_NMI_ENABLE, V_NMI_MASK};
use crate::arch::intercept;
use crate::case::draft::{Draft, on};
use crate::case::{Event, Insn, Step, world};
use crate::cases::Cases;
use crate::cpu::CpuFeature;
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    matrix(out);
    gif(out);
    iret(out);
    injected(out);
    physical(out);
    order(out);
    cut_short(out);
}

fn draft(id: impl AsRef<str>, offered: bool) -> Draft {
    let draft = Draft::new(Vnmi, format!("vnmi/{}", id.as_ref())).program(&[Insn::Nop, Insn::Nop]);
    if offered { draft.needs(&[CpuFeature::Vnmi]) } else { draft.without(&[CpuFeature::Vnmi]) }
}

fn matrix(out: &mut Cases) {
    for mask in 0..64u64 {
        let bit = |n: u64| mask >> n & 1 == 1;
        let (enable, pending, masked, intercept, offered, flags) =
            (bit(0), bit(1), bit(2), bit(3), bit(4), bit(5));
        let id = format!(
            "enable={},pending={},masked={},nmi-intercept={},vnmi={},if={}",
            on(enable),
            on(pending),
            on(masked),
            on(intercept),
            on(offered),
            on(flags)
        );
        let int_ctl = if enable { V_NMI_ENABLE } else { 0 }
            | if pending { V_NMI } else { 0 }
            | if masked { V_NMI_MASK } else { 0 };
        let case = draft(id, offered).set(Field::INT_CTL, int_ctl);
        let case = case.set(Field::RFLAGS, 2 | u64::from(flags) << 9);
        out.push(
            case.also(Field::INTERCEPT_MISC1, if intercept { intercept::NMI.mask() } else { 0 })
                .done(),
        );
    }
}

fn enabled(id: impl AsRef<str>, int_ctl: u64) -> Draft {
    let case = draft(id, true).set(Field::INT_CTL, V_NMI_ENABLE | int_ctl);
    case.also(Field::INTERCEPT_MISC1, intercept::NMI.mask())
}

fn gif(out: &mut Cases) {
    for enable in [0, V_GIF_ENABLE] {
        for v_gif in [0, V_GIF] {
            for stgi in [false, true] {
                let id = format!(
                    "v-gif={},enable={},stgi={}",
                    on(v_gif != 0),
                    on(enable != 0),
                    on(stgi)
                );
                let case = enabled(id, V_NMI | enable | v_gif).needs(&[CpuFeature::Vgif]);
                let program: &[Insn] = if stgi { &[Insn::Stgi, Insn::Nop] } else { &[] };
                out.push(case.program(program).done());
            }
        }
    }
}

/// IRET unmasks, so that a second one gets in.
fn iret(out: &mut Cases) {
    let frame = world::L2_STACK - 0x28;
    for pending in [0, V_NMI] {
        for masked in [0, V_NMI_MASK] {
            let id = format!("iret,pending={},masked={}", on(pending != 0), on(masked != 0));
            let case = enabled(id, pending | masked).program(&[Insn::Iret]);
            let case = case.set(Field::RSP, frame).poke(frame, world::L2_CODE + 0x10);
            let case = case.poke(frame + 8, world::L2_CS.into()).poke(frame + 0x10, 2);
            let case =
                case.poke(frame + 0x18, world::L2_STACK).poke(frame + 0x20, world::L2_DS.into());
            out.push(case.program(&[const { Insn::Nop }; 0x20]).done());
        }
    }
}

fn injected(out: &mut Cases) {
    for pending in [0, V_NMI] {
        let case = enabled(format!("inject,pending={}", on(pending != 0)), pending);
        out.push(case.set(Field::EVENTINJ, 0x8000_0202).done());
        let case = enabled(format!("inject-intr,pending={}", on(pending != 0)), pending);
        out.push(case.set(Field::EVENTINJ, 0x8000_0031).done());
    }
}

fn physical(out: &mut Cases) {
    for shadow in [0, 1] {
        let case = enabled(format!("shadow={}", on(shadow != 0)), V_NMI);
        out.push(case.set(Field::INT_STATE, shadow).done());
    }
    for pending in [0, V_NMI_MASK] {
        let case = enabled(format!("physical,masked={}", on(pending != 0)), pending);
        let case = case.clgi().raise(Event::Nmi).run();
        out.push(case.stgi().step(Step::Window).case());
    }
}

/// A virtual NMI and a physical event at one boundary, which may be in a shadow.
fn order(out: &mut Cases) {
    let events = [("nmi", Event::Nmi, 0), ("nmi", Event::Nmi, 1), ("intr", Event::Intr(0x51), 0)];
    for (name, event, shadow) in events {
        for bits in [0, intercept::INTR.mask()] {
            let places = [on(bits != 0), on(shadow != 0)];
            let id = format!("behind={name},intr-intercept={},shadow={}", places[0], places[1]);
            let case = enabled(id, V_NMI | V_INTR_MASKING).set(Field::INT_STATE, shadow);
            let case = case.also(Field::INTERCEPT_MISC1, bits).clgi().raise(event);
            let case = case.step(Step::Rflags(0x202)).run();
            out.push(case.stgi().step(Step::Window).case());
        }
    }
}

/// The gate of the NMI is not present, and the #NP of its delivery exits.
fn cut_short(out: &mut Cases) {
    let gate = world::L2_IDT + 2 * 16;
    for injected in [false, true] {
        let id = format!("delivery-fault,injected={}", on(injected));
        let case = enabled(id, if injected { 0 } else { V_NMI });
        let case = if injected { case.set(Field::EVENTINJ, 0x8000_0202) } else { case };
        let case = case.poke(gate, world::initial_word(gate) & !(1 << 47));
        out.push(case.also(Field::INTERCEPT_EXCEPTIONS, 1 << 11).done());
    }
}
