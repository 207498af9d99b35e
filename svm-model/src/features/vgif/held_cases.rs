//! Table 15-10, each row with GIF set and clear, in L1 and, with GIF that L2 itself has
//! cleared, in L2.

use alloc::format;

use crate::Feature::Vgif;
use crate::arch::{cr4, dr, exit, flag, int_ctl};
use crate::case::draft::on;
use crate::case::{Draft, Event, Insn, Step, world};
use crate::cases::Cases;
use crate::features::debug::trap_cases::{ON_ACCESS, ON_WRITE, PORT, WATCHED, enabled};
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    for gif in [false, true] {
        in_l1(out, gif);
        in_l2(out, gif);
    }
}

fn draft(place: &str, gif: bool) -> Draft {
    Draft::new(Vgif, format!("gif-table/{place},gif={}", on(gif)))
}

fn in_l1(out: &mut Cases, gif: bool) {
    let set = |d: Draft| if gif { d.stgi() } else { d.clgi() };
    let port = Insn::Out { size: 1, port: PORT };
    for (place, at, condition, insn) in
        [("l1-data", WATCHED, ON_WRITE, Insn::Store(WATCHED)), ("l1-port", PORT.into(), 2, port)]
    {
        let d = draft(place, gif).step(Step::WriteCr(4, world::L1_CR4 | cr4::DE));
        let d = d.step(Step::WriteDr(6, dr::DR6_ONES)).step(Step::WriteDr(1, at));
        let d = set(d.step(Step::WriteDr(7, enabled(1, condition, 0)))).l1(insn, 0).stgi();
        out.push(d.step(Step::WriteDr(7, dr::DR7_ONES)).step(Step::ReadDr(6)).case());
    }
    let read = Step::Rdmsr(crate::arch::msr::VM_HSAVE_PA);
    for (place, event) in
        [("l1-nmi", Event::Nmi), ("l1-smi", Event::Smi), ("l1-intr", Event::Intr(0x51))]
    {
        // The read shows on which side of STGI the event comes.
        let d = set(draft(place, gif).step(Step::Rflags(flag::FIXED | flag::IF))).raise(event);
        out.push(d.step(Step::Window).step(read.clone()).stgi().step(Step::Window).case());
    }
    // INIT ends all that it is taken in: with GIF clear it waits, and exits from L2.
    let d = draft("l1-init", gif).program(&[Insn::Nop]).clgi().raise(Event::Init);
    let d = d.step(read).intercept(exit::INIT);
    out.push(if gif { d.run().case() } else { d.case() });
}

fn in_l2(out: &mut Cases, gif: bool) {
    let first = if gif { Insn::Stgi } else { Insn::Clgi };
    let program = |insn: Insn| [first.clone(), insn, Insn::Nop, Insn::Nop];
    let port = Insn::Out { size: 1, port: PORT };
    let nop = crate::case::draft::rip(&program(Insn::Nop), 1);
    for (place, at, condition, insn) in [
        ("l2-execution", nop, 0, Insn::Nop),
        ("l2-data", WATCHED, ON_ACCESS, Insn::Load(0, WATCHED)),
        ("l2-port", PORT.into(), 2, port),
    ] {
        let d = draft(place, gif).program(&program(insn)).step(Step::WriteDr(2, at));
        let d = d.set(Field::CR4, cr4::PAE | cr4::DE);
        out.push(d.set(Field::DR7, enabled(2, condition, 0)).done());
    }
    let tf = draft("l2-step", gif).program(&program(Insn::Nop));
    out.push(tf.set(Field::RFLAGS, flag::FIXED | flag::TF).done());
    let popped = [first, Insn::Sti, Insn::Nop, Insn::Nop, Insn::Nop];
    let virq = draft("l2-virq", gif).program(&popped);
    let virq = virq.set(Field::INT_CTL, int_ctl::V_IRQ | int_ctl::V_IGN_TPR);
    out.push(virq.set(Field::INT_VECTOR, 0x62).done());
    let intr = draft("l2-intr", gif).program(&popped).clgi().raise(Event::Intr(0x61));
    out.push(intr.run().stgi().step(Step::Window).case());
}
