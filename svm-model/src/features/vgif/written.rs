//! GIF, STGI and CLGI, and their virtual counterparts.

use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Vgif;
use crate::arch::flag;
use crate::arch::int_ctl::{V_GIF, V_GIF_ENABLE, V_IRQ};
use crate::arch::msr;
use crate::case::written::fault;
use crate::case::{Draft, Event, Insn, Step, world};
use crate::cpu::CpuFeature;
use crate::outcome::Obs;
use crate::rules as r;
use crate::vmcb::{Field, exit};

const V_INTR_PRIO_1: u64 = 1 << 16;
const IF: u64 = flag::FIXED | flag::IF;

fn draft(id: &str) -> Draft {
    Draft::new(Vgif, id)
}

pub(crate) fn cases() -> Vec<Draft> {
    [physical(), intercepted(), virtual_gif(), virtual_interrupts()].concat()
}

fn physical() -> Vec<Draft> {
    vec![
        draft("gif/exit-clears-it")
            .about([r::vmexit::CLEARS_GIF, r::vgif::HOLDS_NMI])
            .run()
            .ends()
            .raise(Event::Nmi)
            .stgi()
            .shows(Obs::L1Nmi),
        draft("gif/vmrun-sets-it")
            .about(r::vmrun_state::SETS_GIF)
            .clgi()
            .raise(Event::Nmi)
            .intercept(exit::NMI)
            .run()
            .exits(exit::NMI)
            .at(0)
            .stgi()
            .shows(Obs::L1Nmi),
        draft("gif/clgi-holds-nmi")
            .about([r::vgif::HOLDS_NMI, r::vgif::CLGI_CLEARS])
            .clgi()
            .raise(Event::Nmi)
            .stgi()
            .shows(Obs::L1Nmi),
        draft("gif/set-takes-nmi-at-once")
            .about(r::vgif::HOLDS_NMI)
            .raise(Event::Nmi)
            .shows(Obs::L1Nmi),
        draft("gif/clgi-holds-interrupt")
            .about(r::vgif::HOLDS_INTR)
            .clgi()
            .step(Step::Rflags(IF))
            .raise(Event::Intr(0x40))
            .step(Step::Window)
            .stgi()
            .shows(Obs::L1Interrupt(0x40)),
        draft("gif/clgi-svme-clear")
            .about(r::vgif::CLGI_UD)
            .step(Step::Wrmsr(msr::EFER, world::L1_EFER & !0x1000))
            .clgi()
            .shows(fault(6)),
        draft("gif/stgi-in-l2-does-nothing")
            .about(r::vgif::GUEST_CLGI_REAL)
            .program(&[Insn::Stgi])
            .run()
            .ends(),
        draft("gif/clgi-in-l2")
            .about(r::vgif::GUEST_CLGI_REAL)
            .program(&[Insn::Clgi, Insn::Nop])
            .run()
            .ends(),
        // GP before anything else: STGI and CLGI are for CPL 0.
        draft("gif/clgi-at-cpl3")
            .about(r::intercepts::CPL_FIRST)
            .program(&[Insn::Clgi])
            .user()
            .run()
            .takes(13, 0, world::L2_CODE),
    ]
}

fn intercepted() -> Vec<Draft> {
    vec![
        draft("gif/stgi-intercepted")
            .about(r::intercepts::STGI)
            .program(&[Insn::Stgi])
            .intercept(exit::STGI)
            .run()
            .exits(exit::STGI)
            .at(0),
        draft("gif/clgi-intercepted")
            .about(r::intercepts::CLGI)
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
        draft(id).needs(&[CpuFeature::Vgif]).program(program).set(Field::INT_CTL, int_ctl)
    };
    const ON: u64 = V_GIF_ENABLE | V_GIF;
    const OFF: u64 = V_GIF_ENABLE;
    vec![
        with("vgif/clgi-clears-v-gif", ON, &[Insn::Clgi])
            .about(r::vgif::VGIF_CLGI)
            .run()
            .ends()
            .field(Field::INT_CTL, OFF),
        with("vgif/stgi-sets-v-gif", OFF, &[Insn::Stgi])
            .about(r::vgif::VGIF_STGI)
            .run()
            .ends()
            .field(Field::INT_CTL, ON),
        with("vgif/clgi-then-stgi", ON, &[Insn::Clgi, Insn::Stgi])
            .about([r::vgif::VGIF_STGI, r::vgif::VGIF_CLGI])
            .run()
            .ends()
            .field(Field::INT_CTL, ON),
        with("vgif/v-gif-kept", OFF, &[Insn::Nop])
            .about(r::vgif::VGIF_SAVED)
            .run()
            .ends()
            .field(Field::INT_CTL, OFF),
        with("vgif/stgi-intercept-first", OFF, &[Insn::Stgi])
            .about(r::vgif::VGIF_INTERCEPT_WINS)
            .intercept(exit::STGI)
            .run()
            .exits(exit::STGI)
            .at(0)
            .field(Field::INT_CTL, OFF),
        with("vgif/clgi-intercept-first", ON, &[Insn::Clgi])
            .about(r::vgif::VGIF_INTERCEPT_WINS)
            .intercept(exit::CLGI)
            .run()
            .exits(exit::CLGI)
            .at(0)
            .field(Field::INT_CTL, ON),
        with("vgif/not-enabled", V_GIF, &[Insn::Clgi])
            .about(r::vgif::GUEST_CLGI_REAL)
            .run()
            .ends()
            .field(Field::INT_CTL, V_GIF),
        // CLGI in L2 leaves the physical GIF alone: the NMI comes at once.
        with("vgif/physical-gif-stays-set", OFF, &[])
            .about(r::vgif::VGIF_NOT_PHYSICAL)
            .clgi()
            .raise(Event::Nmi)
            .intercept(exit::NMI)
            .run()
            .exits(exit::NMI)
            .at(0)
            .stgi()
            .shows(Obs::L1Nmi),
        draft("vgif/feature-off")
            .about(r::vgif::VGIF_SUPPORTED)
            .without(&[CpuFeature::Vgif])
            .program(&[Insn::Clgi])
            .set(Field::INT_CTL, ON)
            .run()
            .ends()
            .field(Field::INT_CTL, ON),
    ]
}

fn virtual_interrupts() -> Vec<Draft> {
    let pending = |id: &str, v_gif: u64, program: &[Insn]| {
        draft(id)
            .needs(&[CpuFeature::Vgif])
            .program(program)
            .set(Field::RFLAGS, IF)
            .set(Field::INT_CTL, V_GIF_ENABLE | v_gif | V_IRQ | V_INTR_PRIO_1)
            .set(Field::INT_VECTOR, 0x50)
    };
    vec![
        pending("vgif/v-irq-taken", V_GIF, &[Insn::Nop])
            .about([r::vgif::VGIF_BLOCKS_VIRQ, r::virq::TAKEN])
            .run()
            .takes(0x50, 0, world::L2_CODE)
            .field(Field::INT_CTL, V_GIF_ENABLE | V_GIF | V_INTR_PRIO_1),
        pending("vgif/v-irq-held", 0, &[Insn::Nop])
            .about(r::vgif::VGIF_BLOCKS_VIRQ)
            .run()
            .ends()
            .field(Field::INT_CTL, V_GIF_ENABLE | V_IRQ | V_INTR_PRIO_1),
        pending("vgif/v-irq-taken-after-stgi", 0, &[Insn::Nop, Insn::Stgi, Insn::Nop])
            .about([r::vgif::VGIF_BLOCKS_VIRQ, r::vgif::VGIF_STGI])
            .run()
            .takes(0x50, 0, world::L2_CODE + 4)
            .field(Field::INT_CTL, V_GIF_ENABLE | V_GIF | V_INTR_PRIO_1),
    ]
}
