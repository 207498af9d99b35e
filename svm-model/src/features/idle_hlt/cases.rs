//! The idle HLT intercept: every setting of what decides, and HLT that wakes.

use alloc::format;

use crate::Feature::IdleHlt;
use crate::arch::int_ctl::{V_IGN_TPR, V_IRQ, V_NMI, V_NMI_ENABLE, V_NMI_MASK};
use crate::arch::{flag, intercept};
use crate::case::draft::{Draft, on};
use crate::case::{Event, Insn};
use crate::cases::Cases;
use crate::cpu::CpuFeature;
use crate::vmcb::Field;

const HLT: u64 = intercept::HLT.mask();
const NMI: u64 = intercept::NMI.mask();

fn draft(id: &str, idle: bool, offered: bool) -> Draft {
    let id = format!("idle-hlt/{id},intercept={},idle-hlt={}", on(idle), on(offered));
    let feature = [CpuFeature::IdleHlt];
    let draft = Draft::new(IdleHlt, id)
        .set(Field::INTERCEPT_MISC3, if idle { intercept::IDLE_HLT.mask() } else { 0 });
    if offered { draft.needs(&feature) } else { draft.without(&feature) }
}

pub(crate) fn cases(out: &mut Cases) {
    for idle in [false, true] {
        for offered in [false, true] {
            matrix(out, idle, offered);
            wakes(out, idle, offered);
        }
    }
    again(out);
}

fn matrix(out: &mut Cases, idle: bool, offered: bool) {
    for hlt in [false, true] {
        for user in [false, true] {
            for shadow in [0, 1] {
                // A guest that sleeps for good is no case.
                let exits = hlt || user || (idle && offered);
                if !exits {
                    continue;
                }
                let id =
                    format!("cpl={},hlt={},shadow={shadow}", if user { 3 } else { 0 }, on(hlt));
                let case = draft(&id, idle, offered).program(&[Insn::Hlt, Insn::Nop]);
                let case = case.set(Field::INT_STATE, shadow);
                let case = case.also(Field::INTERCEPT_MISC1, if hlt { HLT } else { 0 });
                out.push(if user { case.user().done() } else { case.done() });
            }
        }
    }
}

/// Something is pending when HLT executes in a shadow, and is taken behind it.
fn wakes(out: &mut Cases, idle: bool, offered: bool) {
    let pending = [
        ("virq", V_IRQ | V_IGN_TPR, 0, false),
        ("virq,hlt", V_IRQ | V_IGN_TPR, HLT, false),
        ("interrupt", 0, 0, true),
        ("interrupt,virq", V_IRQ | V_IGN_TPR, 0, true),
        ("interrupt,vnmi", V_NMI | V_NMI_MASK | V_NMI_ENABLE, NMI, true),
        ("interrupt,vnmi-mask", V_NMI_MASK | V_NMI_ENABLE, NMI, true),
        ("interrupt,vnmi-disabled", V_NMI | V_NMI_MASK, NMI, true),
        ("interrupt,vnmi,hlt", V_NMI | V_NMI_MASK | V_NMI_ENABLE, NMI | HLT, true),
    ];
    for (name, int_ctl, intercepts, physical) in pending {
        let case = draft(name, idle, offered).program(&[Insn::Hlt, Insn::Nop]);
        let case = if int_ctl & V_NMI_ENABLE != 0 { case.needs(&[CpuFeature::Vnmi]) } else { case };
        let case = case.set(Field::INT_CTL, int_ctl).set(Field::INT_VECTOR, 0x51);
        let case = case.set(Field::INT_STATE, 1).set(Field::RFLAGS, 2 | flag::IF);
        let case = case.also(Field::INTERCEPT_MISC1, intercepts);
        let case = if physical { case.clgi().raise(Event::Intr(0x61)) } else { case };
        out.push(case.done());
    }
}

/// The exit leaves HLT to be executed again, with the interrupt that L1 has for it.
fn again(out: &mut Cases) {
    let case = draft("again", true, true).program(&[Insn::Hlt, Insn::Nop]).run();
    let case = case.set(Field::INT_CTL, V_IRQ | V_IGN_TPR).set(Field::INT_VECTOR, 0x51);
    let case = case.set(Field::INT_STATE, 1).set(Field::RFLAGS, 2 | flag::IF);
    out.push(case.done());
}
