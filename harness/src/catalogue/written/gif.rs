//! GIF, STGI and CLGI, and their virtual counterparts.

use svm_model::Feature::Vgif;
use svm_model::case::{Event, Insn, Step, world};
use svm_model::cpu::CpuFeature;
use svm_model::outcome::Obs;
use svm_model::vmcb::{Field, exit};

use super::Draft;
use super::draft::fault;

const V_IRQ: u64 = 1 << 8;
const V_GIF: u64 = 1 << 9;
const V_INTR_PRIO_1: u64 = 1 << 16;
const V_GIF_ENABLE: u64 = 1 << 25;
const IF: u64 = 0x202;

fn draft(id: &str, section: &'static str) -> Draft {
    Draft::new(id, Vgif, section)
}

pub(super) fn cases() -> Vec<Draft> {
    [physical(), intercepted(), virtual_gif(), virtual_interrupts()].concat()
}

fn physical() -> Vec<Draft> {
    vec![
        draft("gif/exit-clears-it", "15.17")
            .run()
            .ends()
            .raise(Event::Nmi)
            .l1(Insn::Stgi, 0)
            .shows(Obs::L1Nmi),
        draft("gif/vmrun-sets-it", "15.17")
            .l1(Insn::Clgi, 0)
            .raise(Event::Nmi)
            .intercept(exit::NMI)
            .run()
            .exits(exit::NMI)
            .at(0)
            .l1(Insn::Stgi, 0)
            .shows(Obs::L1Nmi),
        draft("gif/clgi-holds-nmi", "15.17")
            .l1(Insn::Clgi, 0)
            .raise(Event::Nmi)
            .l1(Insn::Stgi, 0)
            .shows(Obs::L1Nmi),
        draft("gif/set-takes-nmi-at-once", "15.17").raise(Event::Nmi).shows(Obs::L1Nmi),
        draft("gif/clgi-holds-interrupt", "15.17")
            .l1(Insn::Clgi, 0)
            .step(Step::Rflags(IF))
            .raise(Event::Intr(0x40))
            .step(Step::Window)
            .l1(Insn::Stgi, 0)
            .shows(Obs::L1Interrupt(0x40)),
        draft("gif/clgi-svme-clear", "15.17")
            .step(Step::Wrmsr(0xc000_0080, world::L1_EFER & !0x1000))
            .l1(Insn::Clgi, 0)
            .shows(fault(6)),
        draft("gif/stgi-in-l2-does-nothing", "15.17").program(&[Insn::Stgi]).run().ends(),
        draft("gif/clgi-in-l2", "15.17").program(&[Insn::Clgi, Insn::Nop]).run().ends(),
        // GP before anything else: STGI and CLGI are for CPL 0.
        draft("gif/clgi-at-cpl3", "15.17").program(&[Insn::Clgi]).user().run().takes(
            13,
            0,
            world::L2_CODE,
        ),
    ]
}

fn intercepted() -> Vec<Draft> {
    vec![
        draft("gif/stgi-intercepted", "15.9")
            .program(&[Insn::Stgi])
            .intercept(exit::STGI)
            .run()
            .exits(exit::STGI)
            .at(0),
        draft("gif/clgi-intercepted", "15.9")
            .program(&[Insn::Clgi])
            .intercept(exit::CLGI)
            .run()
            .exits(exit::CLGI)
            .at(0),
    ]
}

/// With virtual GIF on, or not.
fn virtual_gif() -> Vec<Draft> {
    let with = |id: &str, int_ctl: u64, program: &[Insn]| {
        draft(id, "15.33.2").needs(CpuFeature::Vgif).program(program).set(Field::INT_CTL, int_ctl)
    };
    const ON: u64 = V_GIF_ENABLE | V_GIF;
    const OFF: u64 = V_GIF_ENABLE;
    vec![
        with("vgif/clgi-clears-v-gif", ON, &[Insn::Clgi]).run().ends().field(Field::INT_CTL, OFF),
        with("vgif/stgi-sets-v-gif", OFF, &[Insn::Stgi]).run().ends().field(Field::INT_CTL, ON),
        with("vgif/clgi-then-stgi", ON, &[Insn::Clgi, Insn::Stgi])
            .run()
            .ends()
            .field(Field::INT_CTL, ON),
        with("vgif/v-gif-kept", OFF, &[Insn::Nop]).run().ends().field(Field::INT_CTL, OFF),
        with("vgif/stgi-intercept-first", OFF, &[Insn::Stgi])
            .intercept(exit::STGI)
            .run()
            .exits(exit::STGI)
            .at(0)
            .field(Field::INT_CTL, OFF),
        with("vgif/clgi-intercept-first", ON, &[Insn::Clgi])
            .intercept(exit::CLGI)
            .run()
            .exits(exit::CLGI)
            .at(0)
            .field(Field::INT_CTL, ON),
        with("vgif/not-enabled", V_GIF, &[Insn::Clgi]).run().ends().field(Field::INT_CTL, V_GIF),
        // CLGI in L2 leaves the physical GIF alone: the NMI comes at once.
        with("vgif/physical-gif-stays-set", OFF, &[])
            .l1(Insn::Clgi, 0)
            .raise(Event::Nmi)
            .intercept(exit::NMI)
            .run()
            .exits(exit::NMI)
            .at(0)
            .l1(Insn::Stgi, 0)
            .shows(Obs::L1Nmi),
        draft("vgif/feature-off", "15.33.2")
            .without(CpuFeature::Vgif)
            .program(&[Insn::Clgi])
            .set(Field::INT_CTL, ON)
            .run()
            .ends()
            .field(Field::INT_CTL, ON),
    ]
}

fn virtual_interrupts() -> Vec<Draft> {
    let pending = |id: &str, v_gif: u64, program: &[Insn]| {
        draft(id, "15.33.2")
            .needs(CpuFeature::Vgif)
            .program(program)
            .set(Field::RFLAGS, IF)
            .set(Field::INT_CTL, V_GIF_ENABLE | v_gif | V_IRQ | V_INTR_PRIO_1)
            .set(Field::INT_VECTOR, 0x50)
    };
    vec![
        pending("vgif/v-irq-taken", V_GIF, &[Insn::Nop])
            .run()
            .takes(0x50, 0, world::L2_CODE)
            .field(Field::INT_CTL, V_GIF_ENABLE | V_GIF | V_INTR_PRIO_1),
        pending("vgif/v-irq-held", 0, &[Insn::Nop])
            .run()
            .ends()
            .field(Field::INT_CTL, V_GIF_ENABLE | V_IRQ | V_INTR_PRIO_1),
        pending("vgif/v-irq-taken-after-stgi", 0, &[Insn::Nop, Insn::Stgi, Insn::Nop])
            .run()
            .takes(0x50, 0, world::L2_CODE + 4)
            .field(Field::INT_CTL, V_GIF_ENABLE | V_GIF | V_INTR_PRIO_1),
    ]
}
