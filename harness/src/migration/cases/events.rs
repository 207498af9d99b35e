//! Interrupts and NMIs, physical and virtual, that are pending, held or being
//! handled when the case leaves.

use svm_model::Feature::{EventInjection, Vgif, Virq, Vnmi};
use svm_model::arch::int_ctl::{
    V_GIF, V_GIF_ENABLE, V_INTR_MASKING, V_IRQ, V_NMI, V_NMI_ENABLE, V_NMI_MASK,
};
use svm_model::arch::{event, flag};
use svm_model::case::{Draft, Event, Insn, Step, world};
use svm_model::cpu::CpuFeature;
use svm_model::vmcb::{Field, exit};

use super::{Mark, Move, at, draft, in_handler, in_l1, mark};

const IF: u64 = flag::FIXED | flag::IF;
const V_INTR_PRIO_1: u64 = 1 << 16;
const V_INTR_PRIO_5: u64 = 5 << 16;
/// #GP(0x1234) in EVENTINJ.
const GP: u64 = event::V | 3 << 8 | 1 << 11 | 13 | 0x1234 << 32;
/// Where the guest has its SMI handler.
const SMI_HANDLER: u64 = 0x3_8000;
/// A page for an IDT, and its nested entry.
const IDT: u64 = world::DATA + 0x3000;
const IDT_ENTRY: u64 = world::npt::PT + 3 * 8;

pub(super) fn cases() -> Vec<Move> {
    [
        gif(),
        physical(),
        virtual_interrupts(),
        tpr(),
        virtual_gif(),
        virtual_nmi(),
        injected(),
        management(),
    ]
    .concat()
}

/// L1, with GIF clear from the exit on, and something that waits for STGI.
fn gif() -> Vec<Move> {
    let held = |id: &str, event: Event| {
        let case = draft(&format!("gif/{id}-held"), Vgif).program(&[Insn::Nop]).run().raise(event);
        mark(case).stgi()
    };
    vec![
        in_l1(held("nmi", Event::Nmi)),
        in_l1(held("smi", Event::Smi)),
        in_l1(held("init", Event::Init)),
        in_l1(held("interrupt", Event::Intr(0x60)).step(Step::Window)),
        in_l1(mark(draft("gif/set", Vgif)).raise(Event::Nmi)),
    ]
}

/// Physical events while L2 runs.
fn physical() -> Vec<Move> {
    let interrupt = |id: &str| draft(&format!("physical/{id}"), Virq).raise(Event::Intr(0x60));
    let sti = &[Insn::Nop, Insn::Sti, Insn::Nop, Insn::Nop];
    vec![
        at(0, interrupt("interrupt-intercepted").program(sti).intercept(exit::INTR).run()),
        at(
            0,
            interrupt("interrupt-held-by-host-if")
                .program(sti)
                .set(Field::INT_CTL, V_INTR_MASKING)
                .run()
                .stgi()
                .step(Step::Window),
        ),
        at(0, interrupt("interrupt-taken-by-l2").program(sti).run()),
    ]
}

fn pending(id: &str, int_ctl: u64, program: &[Insn]) -> Draft {
    draft(&format!("virq/{id}"), Virq)
        .program(program)
        .set(Field::INT_CTL, V_IRQ | int_ctl)
        .set(Field::INT_VECTOR, 0x50)
}

fn virtual_interrupts() -> Vec<Move> {
    let sti = &[Insn::Nop, Insn::Sti, Insn::Nop, Insn::Nop];
    let nops = &[Insn::Nop, Insn::Nop, Insn::Nop];
    vec![
        at(0, pending("held-by-if", V_INTR_PRIO_1, sti).run()),
        at(0, pending("intercepted", V_INTR_PRIO_1, sti).intercept(exit::VINTR).run()),
        at(
            2,
            pending("held-by-tpr", V_INTR_PRIO_1 | 3, &[Insn::Mov(0, 0), Insn::Nop, Insn::Nop])
                .set(Field::RFLAGS, IF)
                .run(),
        ),
        at(
            1,
            pending(
                "tpr-lowered",
                V_INTR_PRIO_5 | 7 | V_INTR_MASKING,
                &[Insn::Mov(0, 2), Insn::WriteCr(8, 0), Insn::Nop],
            )
            .set(Field::RFLAGS, IF)
            .run(),
        ),
        // In the shadow that the VMCB asks for, and in that of STI.
        at(
            0,
            pending("shadow-loaded", V_INTR_PRIO_1, nops)
                .set(Field::RFLAGS, IF)
                .set(Field::INT_STATE, 1)
                .run(),
        ),
        at(1, pending("shadow-of-sti", V_INTR_PRIO_1, &[Insn::Sti, Insn::Nop, Insn::Nop]).run()),
        in_handler(0x50, pending("taken", V_INTR_PRIO_1, nops).set(Field::RFLAGS, IF).run()),
    ]
}

fn tpr() -> Vec<Move> {
    let tpr = |id: &str, program: &[Insn]| draft(&format!("tpr/{id}"), Virq).program(program);
    let write = &[Insn::Mov(0, 7), Insn::WriteCr(8, 0), Insn::Nop];
    let read = &[Insn::Nop, Insn::ReadCr(8, 0)];
    vec![
        at(2, tpr("written-with-masking", write).set(Field::INT_CTL, V_INTR_MASKING).run()),
        at(0, tpr("read-with-masking", read).set(Field::INT_CTL, V_INTR_MASKING | 9).run()),
        at(2, tpr("written-without-masking", write).run()),
        at(0, tpr("of-l1", read).step(Step::WriteCr(8, 4)).run().step(Step::ReadCr(8))),
    ]
}

fn virtual_gif() -> Vec<Move> {
    let vgif = |id: &str, int_ctl: u64, program: &[Insn]| {
        draft(&format!("vgif/{id}"), Vgif)
            .needs(&[CpuFeature::Vgif])
            .program(program)
            .set(Field::RFLAGS, IF)
            .set(Field::INT_CTL, V_GIF_ENABLE | V_INTR_PRIO_1 | int_ctl)
            .set(Field::INT_VECTOR, 0x50)
    };
    vec![
        at(0, vgif("clear", 0, &[Insn::Nop, Insn::Nop]).run()),
        at(1, vgif("cleared-by-clgi", V_GIF, &[Insn::Clgi, Insn::Nop, Insn::Nop]).run()),
        at(0, vgif("holds-interrupt", V_IRQ, &[Insn::Nop, Insn::Nop]).run()),
        at(0, vgif("interrupt-behind-stgi", V_IRQ, &[Insn::Nop, Insn::Stgi, Insn::Nop]).run()),
    ]
}

fn virtual_nmi() -> Vec<Move> {
    let vnmi = |id: &str, int_ctl: u64, program: &[Insn]| {
        draft(&format!("vnmi/{id}"), Vnmi)
            .needs(&[CpuFeature::Vnmi])
            .needs(&[CpuFeature::Vgif])
            .program(program)
            .set(Field::INT_CTL, V_NMI_ENABLE | int_ctl)
            .intercept(exit::NMI)
    };
    let frame = world::L2_STACK - 0x28;
    let iret: Vec<Insn> =
        [Insn::Nop, Insn::Iret].into_iter().chain(vec![Insn::Nop; 0x20]).collect();
    let masked = vnmi("masked-until-iret", V_NMI | V_NMI_MASK, &iret)
        .set(Field::RSP, frame)
        .poke(frame, world::L2_CODE + 0x10)
        .poke(frame + 8, world::L2_CS.into())
        .poke(frame + 0x10, 2)
        .poke(frame + 0x18, world::L2_STACK)
        .poke(frame + 0x20, world::L2_DS.into());
    let stgi = &[Insn::Nop, Insn::Stgi, Insn::Nop];
    vec![
        at(0, vnmi("masked", V_NMI | V_NMI_MASK, &[Insn::Nop, Insn::Nop]).run()),
        at(0, masked.run()),
        at(0, vnmi("held-by-virtual-gif", V_NMI | V_GIF_ENABLE, stgi).run()),
        in_handler(2, vnmi("being-handled", V_NMI, &[Insn::Nop, Insn::Nop]).run()),
    ]
}

/// EVENTINJ and EXITINTINFO. L2 takes an injected event before it can stop, so
/// that none is ever half delivered.
fn injected() -> Vec<Move> {
    let inject = |id: &str, event: u64| {
        draft(&format!("injection/{id}"), EventInjection)
            .program(&[Insn::Nop, Insn::Nop])
            .set(Field::EVENTINJ, event)
    };
    let again = inject("exitintinfo-injected-again", GP)
        .needs(&[CpuFeature::Npt])
        .set(Field::IDTR_BASE, IDT)
        .poke(IDT_ENTRY, 0)
        .run();
    vec![
        in_handler(13, inject("exception-being-handled", GP).run()),
        in_handler(0x40, inject("interrupt-being-handled", event::V | 0x40).run()),
        in_handler(2, inject("nmi-being-handled", event::V | 2 << 8 | 2).run()),
        in_handler(
            0x80,
            inject("software-interrupt-being-handled", event::V | 4 << 8 | 0x80)
                .needs(&[CpuFeature::NripSave])
                .set(Field::NRIP, world::L2_CODE + 1)
                .run(),
        ),
        in_l1(mark(again).set(Field::EVENTINJ, GP).set(Field::IDTR_BASE, world::L2_IDT).run()),
    ]
}

/// Leaves at the first instruction of the SMI handler, which has interrupted L2.
fn management() -> Vec<Move> {
    let interrupted = |id: &str| draft(&format!("smm/{id}"), Virq).clgi().raise(Event::Smi);
    let pauses = vec![Insn::Pause; 6];
    let filter = interrupted("pause-filter-of-l2")
        .needs(&[CpuFeature::PauseFilter])
        .program(&pauses)
        .set(Field::PAUSE_FILTER_COUNT, 4)
        .intercept(exit::PAUSE);
    // V_TPR is L2's, and what is pending for L1 is masked in the handler.
    let masked = interrupted("interrupt-of-l1")
        .program(&[Insn::Nop, Insn::ReadCr(8, 0)])
        .raise(Event::Intr(0x60))
        .set(Field::INT_CTL, V_INTR_MASKING | 9)
        .run()
        .stgi()
        .step(Step::Window);
    [filter.run(), masked]
        .map(|d| Move { case: d.case(), mark: Mark::Instruction(SMI_HANDLER) })
        .to_vec()
}
