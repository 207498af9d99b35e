//! Debug traps in the shadow of MOV SS, POP SS and STI (APM vol. 2, 15.21.5; vol. 3, MOV and
//! POP), and behind HLT and MWAIT, which wait for nothing then (13.1.4).

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::traps::{self, DB, TF, meets, trap, watch};
use crate::Feature::Debug;
use crate::arch::{dr, flag, int_ctl, int_state, msr};
use crate::case::listing::{
    CLEAR_RCX_RDX, JMP_OVER_ONE, LODSB, LSS_RBX, MOV_RDI_AL, MOV_SS_RBX, STEP, raw,
};
use crate::case::written::fault;
use crate::case::{About, Draft, Event, Insn, Step, world};
use crate::vmcb::{Field, exit};

const IF: u64 = flag::FIXED | flag::IF;
const DR6: u64 = dr::DR6_ONES;
const B0: u64 = DR6 | dr::DR6_B0;
const BS: u64 = DR6 | dr::DR6_BS;
const ACCESS: u64 = 3;
const EXECUTION: u64 = 0;
/// Where RBX points: the selector that MOV SS loads.
const SELECTOR: u64 = world::gpr(3);
const TARGET: u64 = world::gpr(7);

pub(crate) fn cases() -> Vec<Draft> {
    [held(), others(), halts(), waits(), halts_in_l1()].concat()
}

fn behind(id: &str, load: &[u8], program: &[Insn]) -> Draft {
    around(id, &[&[raw(load)], program].concat())
}

/// A program in which SS is loaded from [`SELECTOR`], which breakpoint 0 watches.
fn around(id: &str, program: &[Insn]) -> Draft {
    let d = traps::draft(&format!("shadow,{id}"), program);
    let d = d.about(About::Section("15.21.5")).poke(SELECTOR, u64::from(world::L2_DS));
    watch(d, 0, SELECTOR, ACCESS, 2)
}

/// The trap of MOV SS comes behind the next instruction.
fn held() -> Vec<Draft> {
    let nops = [Insn::Nop, Insn::Nop];
    let one = |d: Draft, at: usize, dr6: u64| {
        let hit = trap(&d, at).dr6(dr6);
        meets(d, &[hit])
    };
    let store = [raw(MOV_RDI_AL), Insn::Nop];
    // As many bytes as it reads are the case's own; RCX as it is goes on into our mailbox.
    let counted = [Insn::Mov(1, 3), raw(MOV_SS_RBX), raw(LODSB), Insn::Nop];
    let stepped = behind("mov-ss,step", MOV_SS_RBX, &nops).set(Field::RFLAGS, TF);
    let steps = [trap(&stepped, 2).dr6(B0 | dr::DR6_BS), trap(&stepped, 3)];
    let code = |d: Draft| {
        let at = d.rip(1);
        watch(d, 1, at, EXECUTION, 1)
    };
    vec![
        one(behind("mov-ss", MOV_SS_RBX, &nops), 2, B0),
        behind("mov-ss,intercepted", MOV_SS_RBX, &nops)
            .intercept(DB)
            .run()
            .exits(DB)
            .at(2)
            .field(Field::DR6, B0)
            .field(Field::INT_STATE, 0),
        one(watch(behind("mov-ss,store", MOV_SS_RBX, &store), 1, TARGET, 1, 1), 2, B0 | 2),
        // The second does not go on with the shadow of the first.
        one(behind("mov-ss,twice", MOV_SS_RBX, &[raw(MOV_SS_RBX), Insn::Nop]), 2, B0),
        meets(stepped, &steps),
        one(around("mov-ss,rep", &counted), 2, B0),
        one(behind("mov-ss,int1", MOV_SS_RBX, &[Insn::Icebp, Insn::Nop]), 2, B0),
        one(behind("mov-ss,hlt", MOV_SS_RBX, &[Insn::Hlt, Insn::Nop]), 2, B0),
        one(behind("mov-ss,jump", MOV_SS_RBX, &[raw(JMP_OVER_ONE), Insn::Nop, Insn::Nop]), 3, B0),
        // On the first instruction of the handler.
        behind("mov-ss,int-n", MOV_SS_RBX, &[Insn::Int(0x61)])
            .intercept(DB)
            .run()
            .exits(DB)
            .field(Field::RIP, world::L2_STUBS + 32 * 0x61)
            .field(Field::DR6, B0),
        // It is L2's, and goes with it.
        behind("mov-ss,exit", MOV_SS_RBX, &[]).run().ends(),
        // Breakpoints on the next instruction are faults, which nothing says that it holds.
        code(behind("mov-ss,breakpoint", MOV_SS_RBX, &nops))
            .intercept(DB)
            .run()
            .exits(DB)
            .at(1)
            .field(Field::DR6, B0 | 2),
        code(behind("mov-ss,breakpoint-alone", MOV_SS_RBX, &nops).step(Step::WriteDr(0, TARGET)))
            .intercept(DB)
            .run()
            .exits(DB)
            .at(1)
            .field(Field::DR6, DR6 | 2),
    ]
}

/// What casts no shadow, or one that does not hold what comes in it.
fn others() -> Vec<Draft> {
    let store = |id: &str, first: &[Insn]| {
        let d =
            traps::draft(&format!("shadow,{id}"), &[first, &[raw(MOV_RDI_AL), Insn::Nop]].concat());
        watch(d.about(About::Section("15.21.5")), 0, TARGET, ACCESS, 1)
    };
    let hit = |d: Draft, at| {
        let hit = trap(&d, at).dr6(B0);
        meets(d, &[hit])
    };
    // POP SS, which 64-bit mode lacks, in 32-bit code.
    let pop = [raw(&[0x17]), Insn::Nop, Insn::Nop];
    let pop =
        Draft::new(Debug, "traps/shadow,pop-ss").about(About::Section("15.21.5")).program(&pop);
    let pop = pop
        .set(Field::CS_ATTRIB, 0xc9b)
        .set(Field::RSP, TARGET)
        .poke(TARGET, u64::from(world::L2_DS))
        .intercept(DB);
    let pop = watch(pop, 0, TARGET, ACCESS, 4);
    vec![
        hit(
            behind("lss", LSS_RBX, &[Insn::Nop, Insn::Nop])
                .poke(SELECTOR, u64::from(world::L2_DS) << 32),
            1,
        ),
        hit(store("sti", &[Insn::Sti]), 2),
        hit(store("vmrun", &[]).set(Field::INT_STATE, int_state::SHADOW), 1),
        pop.run().exits(DB).at(2).field(Field::DR6, B0),
    ]
}

/// A single step over HLT.
fn halts() -> Vec<Draft> {
    let new = |id: &str, flags: u64| {
        Draft::new(Debug, format!("traps/hlt,{id}"))
            .about(About::Section("13.1.4"))
            .program(&[Insn::Hlt, Insn::Nop])
            .set(Field::RFLAGS, flags)
    };
    let taken = |d: Draft| d.run().takes(1, 0, world::L2_CODE + 1).field(Field::DR6, BS);
    let stopped = |d: Draft| d.intercept(DB).run().exits(DB).at(1).field(Field::DR6, BS);
    let v_irq = int_ctl::V_IRQ | int_ctl::V_IGN_TPR;
    let pending = |id: &str| {
        new(id, TF | flag::IF)
            .set(Field::INT_STATE, int_state::SHADOW)
            .set(Field::INT_CTL, v_irq)
            .set(Field::INT_VECTOR, 0x50)
    };
    vec![
        taken(new("if=0", TF)),
        taken(new("if=1", TF | flag::IF)),
        stopped(new("if=0,intercepted", TF)),
        stopped(new("if=1,intercepted", TF | flag::IF)),
        // HLT's own intercept comes first.
        new("hlt-intercepted", TF)
            .intercept(exit::HLT)
            .run()
            .exits(exit::HLT)
            .at(0)
            .field(Field::DR6, DR6),
        stopped(pending("v-irq-pending")).field(Field::INT_CTL, v_irq),
        // An interrupt that L1 wants comes after the trap.
        stopped(
            new("intr-pending", TF | flag::IF)
                .set(Field::INT_STATE, int_state::SHADOW)
                .set(Field::INT_CTL, 0)
                .clgi()
                .raise(Event::Intr(0x61)),
        )
        .stgi()
        .step(Step::Window)
        .shows(crate::outcome::Obs::L1Interrupt(0x61)),
        // With BTF, HLT is no branch: it waits, here for the interrupt.
        new("btf", IF | flag::TF)
            .step(Step::Wrmsr(msr::DEBUGCTL, 2))
            .set(Field::INT_STATE, int_state::SHADOW)
            .clgi()
            .raise(Event::Intr(0x61))
            .run()
            .takes(0x61, 0, world::L2_CODE + 1)
            .field(Field::DR6, DR6)
            .step(Step::Wrmsr(msr::DEBUGCTL, 0)),
    ]
}

/// MWAIT, which may wait, or not.
fn waits() -> Vec<Draft> {
    let zero = raw(CLEAR_RCX_RDX);
    let wait = |id: &str, program: &[Insn]| {
        let program = [program, &[zero.clone(), raw(STEP), Insn::Mwait, Insn::Nop]].concat();
        Draft::new(Debug, format!("traps/{id}")).about(About::Section("13.1.4")).program(&program)
    };
    let mwait = wait("mwait", &[]);
    let after = mwait.rip(3);
    let armed = wait("mwait,armed", &[zero.clone(), Insn::Mov(0, world::DATA), Insn::Monitor]);
    let after_armed = armed.rip(6);
    vec![
        mwait.run().takes(1, 0, after).field(Field::DR6, BS),
        armed.run().takes(1, 0, after_armed).field(Field::DR6, BS),
    ]
}

/// HLT in L1, with IF clear and set.
fn halts_in_l1() -> Vec<Draft> {
    let new = |id: &str, flags| {
        Draft::new(Debug, format!("traps/hlt,l1,{id}"))
            .about(About::Section("13.1.4"))
            .step(Step::Rflags(flags))
            .l1(Insn::Hlt, 0)
            .shows(fault(1))
    };
    vec![new("if=0", TF), new("if=1", TF | flag::IF)]
}
