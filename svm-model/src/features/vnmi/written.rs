//! Virtual NMI: what comes before it and what behind, and a CPU without it.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Vnmi;
use crate::arch::{flag, int_ctl};
use crate::case::{Draft, Event, Insn, Step, world};
use crate::cpu::CpuFeature;
use crate::outcome::Obs;
use crate::rules as r;
use crate::snapshot::HostReg;
use crate::vmcb::{Field, exit};

/// NMI and V_NMI_ENABLE.
const NMI: u64 = int_ctl::V_NMI | int_ctl::V_NMI_ENABLE;
/// What becomes of that when it has been taken.
const TAKEN: u64 = int_ctl::V_NMI_MASK | int_ctl::V_NMI_ENABLE;

const IF: u64 = flag::FIXED | flag::IF;

/// The handler of L2's NMIs.
const HANDLER: u64 = world::L2_STUBS + 2 * 32;

pub(crate) fn cases() -> Vec<Draft> {
    [order(), held(), off()].concat()
}

/// A virtual NMI is pending, and L1 has held a physical event.
fn order() -> Vec<Draft> {
    let draft = |id: &str, event| {
        Draft::new(Vnmi, format!("vnmi/{id}"))
            .needs(&[CpuFeature::Vnmi])
            .program(&[Insn::Nop])
            .set(Field::INT_CTL, NMI)
            .set(Field::RFLAGS, IF)
            .intercept(exit::NMI)
            .clgi()
            .raise(event)
    };
    let intr = |id| draft(id, Event::Intr(0x40));
    vec![
        // The gate clears IF, so that the interrupt waits behind the NMI.
        intr("before-intr")
            .about(r::vnmi::BEFORE_INTR)
            .run()
            .takes(2, 0, world::L2_CODE)
            .field(Field::INT_CTL, TAKEN)
            .step(Step::Rflags(IF))
            .stgi()
            .shows(Obs::L1Interrupt(0x40)),
        intr("before-intr-intercepted")
            .about(r::vnmi::BEFORE_INTR)
            .intercept(exit::INTR)
            .run()
            .takes(2, 0, world::L2_CODE)
            .field(Field::INT_CTL, TAKEN),
        // Where L1's IF is the one that counts, both are taken before the handler runs.
        intr("before-intr-with-masking")
            .about(r::vnmi::BEFORE_INTR)
            .set(Field::INT_CTL, NMI | int_ctl::V_INTR_MASKING)
            .intercept(exit::INTR)
            .step(Step::Rflags(IF))
            .run()
            .exits(exit::INTR)
            .field(Field::RIP, HANDLER)
            .field(Field::INT_CTL, TAKEN | int_ctl::V_INTR_MASKING)
            .host(HostReg::Rflags, IF),
        // What holds the virtual NMI does not hold the interrupt.
        intr("masked-does-not-hold-intr")
            .about(r::vnmi::TAKEN)
            .set(Field::INT_CTL, NMI | int_ctl::V_NMI_MASK)
            .intercept(exit::INTR)
            .run()
            .exits(exit::INTR)
            .at(0)
            .field(Field::INT_CTL, NMI | int_ctl::V_NMI_MASK),
        draft("behind-physical-nmi", Event::Nmi)
            .about(r::vnmi::PHYSICAL_FIRST)
            .run()
            .exits(exit::NMI)
            .at(0)
            .field(Field::INT_CTL, NMI),
    ]
}

/// The interrupt shadow holds a virtual NMI.
fn held() -> Vec<Draft> {
    let draft = |id: &str| {
        Draft::new(Vnmi, format!("vnmi/{id}"))
            .about(r::vnmi::SHADOW)
            .needs(&[CpuFeature::Vnmi])
            .set(Field::INT_CTL, NMI)
            .intercept(exit::NMI)
    };
    let nop = &[Insn::Nop, Insn::Nop];
    vec![
        draft("shadow-of-vmrun")
            .program(nop)
            .set(Field::INT_STATE, 1)
            .run()
            .takes(2, 0, world::L2_CODE + 1)
            .field(Field::INT_CTL, TAKEN),
        draft("shadow-of-vmrun-over-at-exit")
            .set(Field::INT_STATE, 1)
            .intercept(exit::CPUID)
            .program(&[Insn::Cpuid])
            .run()
            .exits(exit::CPUID)
            .at(0)
            .field(Field::INT_CTL, NMI)
            .field(Field::INT_STATE, 1),
    ]
}

fn off() -> Vec<Draft> {
    let off = |id: &str| Draft::new(Vnmi, id).without(&[CpuFeature::Vnmi]);
    vec![
        off("feature-off/vnmi")
            .about(r::vnmi::SUPPORTED)
            .program(&[Insn::Nop])
            .set(Field::INT_CTL, NMI)
            .intercept(exit::NMI)
            .run()
            .ends(),
        // Nor does it need the NMI intercept.
        off("feature-off/vnmi-unintercepted")
            .about(r::vnmi::SUPPORTED)
            .set(Field::INT_CTL, NMI)
            .run()
            .ends(),
    ]
}
