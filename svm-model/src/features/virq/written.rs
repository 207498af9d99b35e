//! Virtual interrupts, V_TPR, V_INTR_MASKING, the interrupt shadow.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Virq;
use crate::arch::flag;
use crate::arch::int_ctl::{V_IGN_TPR, V_INTR_MASKING, V_IRQ};
use crate::case::{Draft, Insn, world};
use crate::rules as r;
use crate::snapshot::HostReg;
use crate::vmcb::{Field, exit};

const IF: u64 = flag::FIXED | flag::IF;

/// V_INTR_PRIO.
const fn prio(n: u64) -> u64 {
    n << 16
}

/// V_IRQ of vector 0x50, and `int_ctl` besides.
fn pending(id: &str, program: &[Insn], int_ctl: u64) -> Draft {
    Draft::new(Virq, format!("virq/{id}"))
        .program(program)
        .set(Field::INT_CTL, V_IRQ | int_ctl)
        .set(Field::INT_VECTOR, 0x50)
}

pub(crate) fn cases() -> Vec<Draft> {
    [delivery(), priority(), shadow(), tpr()].concat()
}

fn delivery() -> Vec<Draft> {
    let nop = &[Insn::Nop];
    vec![
        pending("taken", nop, prio(1))
            .about([r::virq::TAKEN, r::virq::TAKEN_CLEARS])
            .set(Field::RFLAGS, IF)
            .run()
            .takes(0x50, 0, world::L2_CODE)
            .field(Field::INT_CTL, prio(1)),
        pending("if-clear", nop, prio(1))
            .about(r::virq::GUEST_IF)
            .run()
            .ends()
            .field(Field::INT_CTL, V_IRQ | prio(1)),
        pending("if-clear-with-masking", nop, prio(1) | V_INTR_MASKING)
            .about(r::virq::GUEST_IF)
            .run()
            .ends()
            .field(Field::INT_CTL, V_IRQ | prio(1) | V_INTR_MASKING),
        pending("vintr-intercepted", nop, prio(1))
            .about([r::virq::VINTR, r::virq::VINTR_KEEPS])
            .set(Field::RFLAGS, IF)
            .intercept(exit::VINTR)
            .run()
            .exits(exit::VINTR)
            .at(0)
            .field(Field::INT_CTL, V_IRQ | prio(1)),
        pending("vintr-intercepted-if-clear", nop, prio(1))
            .about(r::virq::GUEST_IF)
            .intercept(exit::VINTR)
            .run()
            .ends()
            .field(Field::INT_CTL, V_IRQ | prio(1)),
        pending("after-sti", &[Insn::Sti, Insn::Nop, Insn::Nop], prio(1))
            .about(r::virq::STI_SHADOW)
            .run()
            .takes(0x50, 0, world::L2_CODE + 2)
            .field(Field::INT_CTL, prio(1)),
        pending("after-popf", &[Insn::Popf, Insn::Nop], prio(1))
            .about(r::virq::GUEST_IF)
            .poke(world::L2_STACK - 8, IF)
            .set(Field::RSP, world::L2_STACK - 8)
            .run()
            .takes(0x50, 0, world::L2_CODE + 1),
    ]
}

/// V_INTR_PRIO must be above V_TPR, or V_IGN_TPR set.
fn priority() -> Vec<Draft> {
    let with = |id, int_ctl| pending(id, &[Insn::Nop], int_ctl).set(Field::RFLAGS, IF).run();
    vec![
        with("prio-below-tpr", prio(3) | 5)
            .about(r::virq::PRIORITY)
            .ends()
            .field(Field::INT_CTL, V_IRQ | prio(3) | 5),
        with("prio-equals-tpr", prio(5) | 5)
            .about(r::virq::PRIORITY)
            .ends()
            .field(Field::INT_CTL, V_IRQ | prio(5) | 5),
        with("prio-above-tpr", prio(6) | 5).about(r::virq::PRIORITY).takes(0x50, 0, world::L2_CODE),
        with("ign-tpr", V_IGN_TPR | prio(3) | 5).about(r::virq::IGN_TPR).takes(
            0x50,
            0,
            world::L2_CODE,
        ),
        with("prio-0-tpr-0", prio(0)).about(r::virq::PRIORITY).ends().field(Field::INT_CTL, V_IRQ),
    ]
}

fn shadow() -> Vec<Draft> {
    let plain =
        |id: &str, program: &[Insn]| Draft::new(Virq, format!("virq/{id}")).program(program);
    vec![
        pending("shadow-loaded", &[Insn::Nop, Insn::Nop], prio(1))
            .about([r::vmrun_state::LOAD_SHADOW, r::virq::SHADOW])
            .set(Field::RFLAGS, IF)
            .set(Field::INT_STATE, 1)
            .run()
            .takes(0x50, 0, world::L2_CODE + 1),
        plain("shadow-saved", &[Insn::Sti])
            .about([r::vmexit::SAVE_SHADOW, r::virq::STI_SHADOW])
            .run()
            .ends()
            .field(Field::INT_STATE, 1),
        plain("shadow-over", &[Insn::Sti, Insn::Nop])
            .about(r::vmexit::SAVE_SHADOW)
            .run()
            .ends()
            .field(Field::INT_STATE, 0),
        // STI with IF set makes none.
        plain("no-shadow-with-if-set", &[Insn::Sti])
            .about(r::virq::STI_SHADOW)
            .set(Field::RFLAGS, IF)
            .run()
            .ends()
            .field(Field::INT_STATE, 0),
    ]
}

fn tpr() -> Vec<Draft> {
    let draft =
        |id: &str, program: &[Insn]| Draft::new(Virq, format!("virq/{id}")).program(program);
    let writes = [Insn::Mov(0, 7), Insn::WriteCr(8, 0)];
    vec![
        draft("cr8-write-with-masking", &writes)
            .about([r::virq::CR8_WRITE_VTPR, r::virq::CR8_WRITE_PHYSICAL, r::virq::VTPR_SAVED])
            .set(Field::INT_CTL, V_INTR_MASKING)
            .run()
            .ends()
            .field(Field::INT_CTL, V_INTR_MASKING | 7)
            .host(HostReg::Cr8, 0),
        draft("cr8-read-with-masking", &[Insn::ReadCr(8, 0)])
            .about(r::virq::CR8_READ)
            .set(Field::INT_CTL, V_INTR_MASKING | 9)
            .run()
            .ends()
            .field(Field::RAX, 9)
            .host(HostReg::Cr8, 0),
        // Both, then.
        draft("cr8-write-without-masking", &writes)
            .about([r::virq::CR8_WRITE_PHYSICAL, r::virq::CR8_WRITE_VTPR])
            .run()
            .ends()
            .field(Field::INT_CTL, 7)
            .host(HostReg::Cr8, 7),
        draft("cr8-read-without-masking", &[Insn::ReadCr(8, 0)])
            .about(r::virq::CR8_READ)
            .set(Field::INT_CTL, 9)
            .run()
            .ends()
            .field(Field::RAX, 0),
    ]
}
