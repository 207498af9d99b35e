//! Physical interrupts, NMI, SMI and INIT while L2 runs.

use svm_model::Feature::Intercepts;
use svm_model::case::{Event, Insn, Step, world};
use svm_model::outcome::Obs;
use svm_model::snapshot::HostReg;
use svm_model::vmcb::{Field, exit};

use super::Draft;

const IF: u64 = 0x202;
const V_INTR_MASKING: u64 = 1 << 24;

const VM_CR: u32 = 0xc001_0114;
const VM_CR_R_INIT: u64 = 1 << 1;
const SX: u64 = exit::EXCP + 30;

/// The event is held by GIF until L2 runs.
fn held(id: &str, section: &'static str, event: Event) -> Draft {
    Draft::new(format!("interrupts/{id}"), Intercepts, section)
        .program(&[Insn::Nop])
        .l1(Insn::Clgi, 0)
        .raise(event)
}

pub(super) fn cases() -> Vec<Draft> {
    [maskable(), others(), redirected()].concat()
}

fn maskable() -> Vec<Draft> {
    let intr = |id, section| held(id, section, Event::Intr(0x40));
    vec![
        intr("intr-intercepted", "15.13.1")
            .set(Field::RFLAGS, IF)
            .intercept(exit::INTR)
            .run()
            .exits(exit::INTR)
            .at(0)
            // It is still pending.
            .step(Step::Rflags(IF))
            .l1(Insn::Stgi, 0)
            .shows(Obs::L1Interrupt(0x40)),
        intr("intr-if-clear", "15.13.1").intercept(exit::INTR).run().ends(),
        intr("intr-taken-by-l2", "15.13.1").set(Field::RFLAGS, IF).run().takes(
            0x40,
            0,
            world::L2_CODE,
        ),
        // With V_INTR_MASKING it is L1's IF that counts.
        intr("intr-masking-l1-if-set", "15.21.1")
            .set(Field::INT_CTL, V_INTR_MASKING)
            .intercept(exit::INTR)
            .step(Step::Rflags(IF))
            .run()
            .exits(exit::INTR)
            .at(0)
            .host(HostReg::Rflags, IF),
        intr("intr-masking-l1-if-clear", "15.21.1")
            .set(Field::INT_CTL, V_INTR_MASKING)
            .set(Field::RFLAGS, IF)
            .intercept(exit::INTR)
            .run()
            .ends(),
        // INTERRUPT_SHADOW holds it for one instruction.
        intr("intr-in-shadow", "15.21.5")
            .set(Field::RFLAGS, IF)
            .set(Field::INT_STATE, 1)
            .intercept(exit::INTR)
            .run()
            .exits(exit::INTR)
            .at(1)
            .field(Field::INT_STATE, 0),
    ]
}

fn others() -> Vec<Draft> {
    let nmi = |id| held(id, "15.13.2", Event::Nmi);
    vec![
        nmi("nmi-intercepted")
            .intercept(exit::NMI)
            .run()
            .exits(exit::NMI)
            .at(0)
            .l1(Insn::Stgi, 0)
            .shows(Obs::L1Nmi),
        nmi("nmi-taken-by-l2").run().takes(2, 0, world::L2_CODE),
        nmi("nmi-before-intr")
            .raise(Event::Intr(0x40))
            .set(Field::RFLAGS, IF)
            .intercept(exit::NMI)
            .intercept(exit::INTR)
            .run()
            .exits(exit::NMI)
            .at(0)
            .l1(Insn::Stgi, 0)
            .shows(Obs::L1Nmi),
        held("smi-intercepted", "15.13.3", Event::Smi)
            .intercept(exit::SMI)
            .run()
            .exits(exit::SMI)
            .at(0)
            .l1(Insn::Stgi, 0)
            .shows(Obs::L1Smi),
        held("init-intercepted", "15.13.4", Event::Init)
            .intercept(exit::INIT)
            .run()
            .exits(exit::INIT)
            .at(0)
            // Still pending: L1 is reset as soon as it lets it in.
            .l1(Insn::Stgi, 0)
            .shows(Obs::L1Reset),
        Draft::new("interrupts/init-held-by-gif", Intercepts, "15.17")
            .l1(Insn::Clgi, 0)
            .raise(Event::Init)
            .l1(Insn::Nop, 0)
            .l1(Insn::Stgi, 0)
            .shows(Obs::L1Reset),
        Draft::new("interrupts/init-in-l1", Intercepts, "15.17")
            .raise(Event::Init)
            .shows(Obs::L1Reset),
        Draft::new("interrupts/smi-in-l1", Intercepts, "15.17").raise(Event::Smi).shows(Obs::L1Smi),
    ]
}

/// VM_CR.R_INIT makes #SX of an INIT, which is then no longer pending (table 15-12).
fn redirected() -> Vec<Draft> {
    let init = |id: &str| {
        Draft::new(format!("interrupts/init-redirected{id}"), Intercepts, "15.21.8")
            .program(&[Insn::Nop])
            .step(Step::Wrmsr(VM_CR, VM_CR_R_INIT))
            .l1(Insn::Clgi, 0)
            .raise(Event::Init)
    };
    let after = |d: Draft| d.step(Step::Wrmsr(VM_CR, 0)).l1(Insn::Stgi, 0).l1(Insn::Nop, 0);
    let sx = Obs::L1Exception { vector: 30, error: Some(1) };
    vec![
        after(init("").l1(Insn::Stgi, 0).shows(sx.clone())),
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
                .l1(Insn::Stgi, 0)
                .shows(sx),
        ),
        init(",undone")
            .intercept(exit::INIT)
            .run()
            .exits(exit::INIT)
            .at(0)
            .step(Step::Wrmsr(VM_CR, 0))
            .l1(Insn::Stgi, 0)
            .shows(Obs::L1Reset),
    ]
}
