//! Physical interrupts, NMI, SMI and INIT while L2 runs.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Intercepts;
use crate::arch::int_ctl::{V_IGN_TPR, V_INTR_MASKING, V_IRQ};
use crate::arch::msr::VM_CR;
use crate::arch::{flag, vm_cr};
use crate::case::{About, Draft, Event, Insn, Step, world};
use crate::cpu::CpuFeature;
use crate::outcome::Obs;
use crate::rules as r;
use crate::snapshot::HostReg;
use crate::vmcb::{Field, exit};

const IF: u64 = flag::FIXED | flag::IF;

const SX: u64 = exit::EXCP + 30;

/// The event is held by GIF until L2 runs.
fn held(id: &str, event: Event) -> Draft {
    Draft::new(Intercepts, format!("interrupts/{id}")).program(&[Insn::Nop]).clgi().raise(event)
}

pub(crate) fn cases() -> Vec<Draft> {
    [maskable(), unfetched(), others(), redirected()].concat()
}

fn maskable() -> Vec<Draft> {
    let intr = |id| held(id, Event::Intr(0x40));
    vec![
        intr("intr-intercepted")
            .about([r::physical::INTR, r::physical::INTR_EXIT])
            .set(Field::RFLAGS, IF)
            .intercept(exit::INTR)
            .run()
            .exits(exit::INTR)
            .at(0)
            // It is still pending.
            .step(Step::Rflags(IF))
            .stgi()
            .shows(Obs::L1Interrupt(0x40)),
        intr("intr-if-clear").about(r::physical::INTR_IF).intercept(exit::INTR).run().ends(),
        intr("intr-taken-by-l2")
            .about(r::virq::MASKING_PHYSICAL)
            .set(Field::RFLAGS, IF)
            .run()
            .takes(0x40, 0, world::L2_CODE),
        // The one that it takes is not ended, and so the other stays pending.
        intr("intr-two-for-l2")
            .about(r::virq::MASKING_PHYSICAL)
            .raise(Event::Intr(0x50))
            .set(Field::RFLAGS, IF)
            .run()
            .takes(0x50, 0, world::L2_CODE),
        // With V_INTR_MASKING it is L1's IF that counts.
        intr("intr-masking-l1-if-set")
            .about(r::virq::MASKING)
            .set(Field::INT_CTL, V_INTR_MASKING)
            .intercept(exit::INTR)
            .step(Step::Rflags(IF))
            .run()
            .exits(exit::INTR)
            .at(0)
            .host(HostReg::Rflags, IF),
        intr("intr-masking-l1-if-clear")
            .about(r::virq::MASKING)
            .set(Field::INT_CTL, V_INTR_MASKING)
            .set(Field::RFLAGS, IF)
            .intercept(exit::INTR)
            .run()
            .ends(),
        // What the guest takes first leaves L1's IF: there is an exit before the handler runs.
        intr("intr-masking-behind-nmi")
            .about([r::virq::MASKING, r::physical::NMI])
            .raise(Event::Nmi)
            .set(Field::INT_CTL, V_INTR_MASKING)
            .intercept(exit::INTR)
            .step(Step::Rflags(IF))
            .run()
            .exits(exit::INTR)
            .field(Field::RIP, world::L2_STUBS + 2 * 32)
            .host(HostReg::Rflags, IF),
        // INTERRUPT_SHADOW holds it for one instruction.
        intr("intr-in-shadow")
            .about(r::vmrun_state::LOAD_SHADOW)
            .set(Field::RFLAGS, IF)
            .set(Field::INT_STATE, 1)
            .intercept(exit::INTR)
            .run()
            .exits(exit::INTR)
            .at(1)
            .field(Field::INT_STATE, 0),
    ]
}

/// L2's code, and with it the handlers, is where nothing can be fetched: what else is pending
/// comes before that fault (8.5).
fn unfetched() -> Vec<Draft> {
    let code = world::L2_CODE >> 21;
    let nmi = |id: &str, int_ctl| {
        held(id, Event::Nmi)
            .about(r::physical::NMI)
            .needs(&[CpuFeature::Npt])
            .poke(world::npt::PD + code * 8, code << 21 | 1 << 63 | 0xe7)
            .set(Field::INT_CTL, int_ctl)
            .step(Step::Rflags(IF))
    };
    let handler = |vector: u64| world::L2_STUBS + vector * 32;
    let trap_gate = world::L2_IDT + 2 * 16;
    vec![
        nmi("unfetched-behind-nmi", 0)
            .run()
            .exits(exit::NPF)
            .field(Field::RIP, handler(2))
            .host(HostReg::Rflags, IF),
        nmi("unfetched-intr-behind-nmi", V_INTR_MASKING)
            .about([r::virq::MASKING, r::physical::NMI])
            .raise(Event::Intr(0x40))
            .intercept(exit::INTR)
            .run()
            .exits(exit::INTR)
            .field(Field::RIP, handler(2))
            .host(HostReg::Rflags, IF),
        nmi("unfetched-intr-behind-nmi-taken", V_INTR_MASKING)
            .about([r::virq::MASKING, r::physical::NMI])
            .raise(Event::Intr(0x40))
            .run()
            .exits(exit::NPF)
            .field(Field::RIP, handler(0x40))
            .host(HostReg::Rflags, IF),
        // A trap gate leaves IF as it is.
        nmi("unfetched-virq-behind-nmi", V_IRQ | V_IGN_TPR)
            .poke(trap_gate, world::initial_word(trap_gate) | 1 << 40)
            .set(Field::INT_VECTOR, 0x50)
            .set(Field::RFLAGS, IF)
            .run()
            .exits(exit::NPF)
            .field(Field::RIP, handler(0x50))
            .field(Field::INT_CTL, V_IGN_TPR)
            .host(HostReg::Rflags, IF),
    ]
}

fn others() -> Vec<Draft> {
    let nmi = |id| held(id, Event::Nmi);
    vec![
        nmi("nmi-intercepted")
            .about([r::physical::NMI, r::physical::NMI_PENDING])
            .intercept(exit::NMI)
            .run()
            .exits(exit::NMI)
            .at(0)
            .stgi()
            .shows(Obs::L1Nmi),
        nmi("nmi-taken-by-l2").about(r::physical::NMI).run().takes(2, 0, world::L2_CODE),
        nmi("nmi-before-intr")
            .about(r::physical::NMI)
            .raise(Event::Intr(0x40))
            .set(Field::RFLAGS, IF)
            .intercept(exit::NMI)
            .intercept(exit::INTR)
            .run()
            .exits(exit::NMI)
            .at(0)
            .stgi()
            .shows(Obs::L1Nmi),
        held("smi-intercepted", Event::Smi)
            .about(r::physical::SMI)
            .intercept(exit::SMI)
            .run()
            .exits(exit::SMI)
            .at(0)
            .stgi()
            .shows(Obs::L1Smi),
        held("init-intercepted", Event::Init)
            .about([r::physical::INIT, r::physical::INIT_PENDING])
            .intercept(exit::INIT)
            .run()
            .exits(exit::INIT)
            .at(0)
            // Still pending: L1 is reset as soon as it lets it in.
            .stgi()
            .shows(Obs::L1Reset),
        Draft::new(Intercepts, "interrupts/init-held-by-gif")
            .about(r::vgif::HOLDS_INIT)
            .clgi()
            .raise(Event::Init)
            .l1(Insn::Nop, 0)
            .stgi()
            .shows(Obs::L1Reset),
        Draft::new(Intercepts, "interrupts/init-in-l1")
            .about(r::vgif::HOLDS_INIT)
            .raise(Event::Init)
            .shows(Obs::L1Reset),
        Draft::new(Intercepts, "interrupts/smi-in-l1")
            .about(r::vgif::HOLDS_SMI)
            .raise(Event::Smi)
            .shows(Obs::L1Smi),
    ]
}

/// VM_CR.R_INIT makes #SX of an INIT, which is then no longer pending (table 15-12).
fn redirected() -> Vec<Draft> {
    let init = |id: &str| {
        Draft::new(Intercepts, format!("interrupts/init-redirected{id}"))
            .about(About::Section("15.21.8"))
            .program(&[Insn::Nop])
            .step(Step::Wrmsr(VM_CR, vm_cr::R_INIT))
            .clgi()
            .raise(Event::Init)
    };
    let after = |d: Draft| d.step(Step::Wrmsr(VM_CR, 0)).stgi().l1(Insn::Nop, 0);
    let sx = Obs::L1Exception { vector: 30, error: Some(1) };
    vec![
        after(init("").stgi().shows(sx.clone())),
        after(init(",in-l2").run().takes(30, 1, world::L2_CODE)),
        after(
            init(",sx-intercepted").intercept(SX).run().exits(SX).at(0).field(Field::EXITINFO1, 1),
        ),
        // It is still pending, and what becomes of it is decided when GIF is set.
        after(
            init(",init-intercepted")
                .intercept(exit::INIT)
                .intercept(SX)
                .run()
                .exits(exit::INIT)
                .at(0)
                .stgi()
                .shows(sx),
        ),
        init(",undone")
            .intercept(exit::INIT)
            .run()
            .exits(exit::INIT)
            .at(0)
            .step(Step::Wrmsr(VM_CR, 0))
            .stgi()
            .shows(Obs::L1Reset),
    ]
}
