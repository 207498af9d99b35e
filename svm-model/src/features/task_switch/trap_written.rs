//! The T bit of the task-state segment that a switch leads to: #DB behind the switch, in front of
//! the new task's first instruction (13.1.3.4); and what else happens in the new task.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Intercepts;
use crate::arch::{cr0, dr, efer, event, flag, int_ctl, int_state};
use crate::case::mode::Mode;
use crate::case::{About, Draft, Event, Insn, world};
use crate::cpu::CpuFeature;
use crate::vmcb::{Field, exit};

/// The new task: its segment, its code, and its stack, which has a page of its own.
pub(super) const TSS: u64 = world::DATA + 0x3000;
/// The segment of the old one: a switch stores it there, and L1 needs its own.
pub(super) const OLD: u64 = world::DATA + 0x2000;
pub(super) const CODE: u64 = world::DATA + 0x4040;
pub(super) const STACK: u64 = world::DATA + 0x7000;
/// The handler of #DB, and that of #NP.
const DB_HANDLER: u64 = CODE + 0x100;
const NP_HANDLER: u64 = CODE + 0x200;
/// L2's IDT: gates of 8 bytes.
const IDT: u64 = world::DATA + 0x5000;

/// In the spare places of L2's GDT: a flat code segment, and the new task.
pub(super) const CS: u16 = 0x20;
pub(super) const TASK: u16 = 0x38;

const DB: u64 = exit::EXCP + 1;
const TS: u64 = exit::EXCP + 10;
const NP: u64 = 11;
const GP: u64 = 13;
/// The vector of an external interrupt.
const INTR: u8 = 0x61;
/// A vector whose gate no `INT` can use: the error code names it.
const BAD: u8 = 0x41;
pub(super) const BAD_ERROR: u64 = (BAD as u64) << 3 | 2;
/// L2's RFLAGS before the switch.
pub(super) const IF: u64 = flag::FIXED | flag::IF;
/// DR6 once the T bit has trapped.
const TRAPPED: u64 = dr::DR6_ONES | dr::DR6_BT;

const fn interrupt_gate(handler: u64) -> u64 {
    handler & 0xffff | (CS as u64) << 16 | 0xee << 40 | (handler >> 16) << 48
}

const TASK_GATE: u64 = (TASK as u64) << 16 | 0xe5 << 40;

const fn gate(vector: u64) -> u64 {
    IDT + 8 * vector
}

/// TR, from VMCB2.
pub(super) fn tr(d: Draft, base: u64) -> Draft {
    let fields = [
        (Field::TR_SELECTOR, u64::from(world::L2_TR)),
        (Field::TR_ATTRIB, 0x8b),
        (Field::TR_LIMIT, 0x67),
        (Field::TR_BASE, base),
    ];
    let d = fields.iter().fold(d, |d, (f, v)| d.poke_field(world::VMCB2, *f, *v));
    d.l1(Insn::Vmload, world::VMCB2)
}

/// L2 in protected mode without paging, and a task whose segment has the T bit set.
fn draft(id: &str) -> Draft {
    new_task(&format!("trap,{id}"))
}

/// The same, for others.
pub(super) fn new_task(id: &str) -> Draft {
    let vmmcall = 0x00d9_010f;
    let new = Draft::new(Intercepts, format!("task-switch/{id}"));
    tr(new, OLD)
        .about(About::Section("13.1.3.4"))
        .set_all(&[
            (Field::EFER, efer::SVME),
            (Field::CR0, cr0::ET | cr0::PE),
            (Field::CR4, 0),
            (Field::CS_ATTRIB, 0xc9b),
            (Field::RFLAGS, IF),
            (Field::IDTR_BASE, IDT),
        ])
        .poke(OLD, world::L2_STACK << 32)
        .poke(world::L2_GDT + u64::from(CS), 0x00cf_9b00_0000_ffff)
        .poke(world::L2_GDT + u64::from(TASK), 0xe900_0000_0067 | (TSS & 0xff_ffff) << 16)
        .poke(TSS + 0x20, CODE | flag::FIXED << 32)
        .poke(TSS + 0x38, STACK)
        .poke(TSS + 0x48, u64::from(world::L2_DS) | u64::from(CS) << 32)
        .poke(TSS + 0x50, u64::from(world::L2_DS) * 0x1_0000_0001)
        .poke(TSS + 0x60, 1 << 32)
        .poke(CODE, vmmcall)
        .poke(DB_HANDLER, vmmcall)
        .poke(NP_HANDLER, vmmcall)
        .poke(gate(1), interrupt_gate(DB_HANDLER))
        .poke(gate(NP), interrupt_gate(NP_HANDLER))
}

/// How the task is entered.
struct Way {
    name: &'static str,
    arranged: fn(Draft) -> Draft,
    /// The error code that is on the new stack.
    error: Option<u64>,
}

const fn way(name: &'static str, arranged: fn(Draft) -> Draft) -> Way {
    Way { name, arranged, error: None }
}

pub(super) fn jump(d: Draft) -> Draft {
    d.program(&[Insn::TaskJump(TASK)])
}

/// CALL far to the task.
pub(super) fn call(d: Draft) -> Draft {
    let [low, high] = TASK.to_le_bytes();
    d.program(&[Insn::Raw(vec![0x9a, 0, 0, 0, 0, low, high])])
}

/// IRET to the task, which the running one names.
pub(super) fn iret(d: Draft) -> Draft {
    d.program(&[Insn::Raw(vec![0xcf])])
        .set(Field::RFLAGS, IF | flag::NT)
        .poke(OLD, world::L2_STACK << 32 | u64::from(TASK))
        .poke(world::L2_GDT + u64::from(TASK), 0xeb00_0000_0067 | (TSS & 0xff_ffff) << 16)
}

pub(super) fn int(d: Draft) -> Draft {
    d.program(&[Insn::Int(0x40)]).poke(gate(0x40), TASK_GATE)
}

pub(super) fn ud(d: Draft) -> Draft {
    d.program(&[Insn::Ud2]).poke(gate(6), TASK_GATE)
}

/// #GP, since the gate is none.
pub(super) fn gp(d: Draft) -> Draft {
    d.program(&[Insn::Int(BAD)]).poke(gate(GP), TASK_GATE)
}

/// #GP, injected.
pub(super) fn inject_gp(d: Draft) -> Draft {
    let what = event::V | event::EV | event::EXCEPTION | GP;
    d.program(&[Insn::Nop]).set(Field::EVENTINJ, BAD_ERROR << 32 | what).poke(gate(GP), TASK_GATE)
}

pub(super) fn intr(d: Draft) -> Draft {
    d.program(&[Insn::Nop]).poke(gate(INTR.into()), TASK_GATE).clgi().raise(Event::Intr(INTR))
}

pub(super) fn nmi(d: Draft) -> Draft {
    d.program(&[Insn::Nop]).poke(gate(2), TASK_GATE).clgi().raise(Event::Nmi)
}

pub(super) fn virq(d: Draft) -> Draft {
    d.program(&[Insn::Nop])
        .poke(gate(0x62), TASK_GATE)
        .set(Field::INT_CTL, int_ctl::V_IRQ | int_ctl::V_IGN_TPR)
        .set(Field::INT_VECTOR, 0x62)
}

const WAYS: [Way; 10] = [
    way("jump", jump),
    way("call", call),
    way("iret", iret),
    way("int", int),
    way("ud", ud),
    way("intr", intr),
    way("nmi", nmi),
    way("virq", virq),
    Way { error: Some(BAD_ERROR), ..way("gp", gp) },
    Way { error: Some(BAD_ERROR), ..way("inject-gp", inject_gp) },
];

pub(crate) fn cases() -> Vec<Draft> {
    let mut cases: Vec<Draft> =
        WAYS.iter().flat_map(|way| [intercepted(way), taken(way)]).collect();
    cases.extend([
        shadow(),
        push_fails(),
        nested(),
        virtual_nmi(),
        no_trap(),
        flags(),
        bad_data(),
        narrow(),
    ]);
    // Neither VMRUN nor #VMEXIT loads TR: the new task is left in it.
    cases.into_iter().map(|d| tr(d, world::L2_TSS)).collect()
}

/// The #DB exits, and the switch is done: nothing is being delivered any more.
fn intercepted(way: &Way) -> Draft {
    let d = (way.arranged)(draft(&format!("{},intercepted", way.name)));
    let pushed = if way.error.is_some() { 4 } else { 0 };
    let d = d
        .intercept(DB)
        .run()
        .exits(DB)
        .field(Field::RIP, CODE)
        .field(Field::CS_SELECTOR, CS.into())
        .field(Field::RSP, STACK - pushed)
        .field(Field::CR0, cr0::ET | cr0::PE | cr0::TS)
        .field(Field::DR6, TRAPPED);
    match way.error {
        Some(error) => d.peek(STACK - 4).value(error),
        None => d,
    }
}

/// The new task takes the #DB, below the error code.
fn taken(way: &Way) -> Draft {
    let d = (way.arranged)(draft(&format!("{},taken", way.name)));
    let top = if way.error.is_some() { STACK - 4 } else { STACK };
    d.run()
        .exits(exit::VMMCALL)
        .field(Field::RIP, DB_HANDLER)
        .field(Field::RSP, top - 12)
        .field(Field::DR6, TRAPPED)
        .peek(top - 12)
        .value(CODE | u64::from(CS) << 32)
}

/// The shadow of what VMRUN began with has ended with the event.
fn shadow() -> Draft {
    ud(draft("shadow"))
        .set(Field::INT_STATE, int_state::SHADOW)
        .intercept(DB)
        .run()
        .exits(DB)
        .field(Field::RIP, CODE)
        .field(Field::INT_STATE, 0)
}

/// The error code belongs to the switch: where it cannot be pushed, no trap comes of it, and the
/// event has not happened.
fn push_fails() -> Draft {
    let page = world::npt::PT + (STACK - 0x1000 - world::DATA) / 0x1000 * 8;
    gp(draft("push-fails"))
        .needs(&[CpuFeature::Npt])
        .intercept(DB)
        .poke(page, 0)
        .run()
        .exits(exit::NPF)
        .at(0)
        .field(Field::RSP, world::L2_STACK)
        .field(Field::EXITINFO2, STACK - 4)
        .field(Field::EXITINTINFO, BAD_ERROR << 32 | event::V | event::EV | event::EXCEPTION | GP)
        .field(Field::DR6, dr::DR6_ONES)
}

/// A fault in the delivery of the #DB is none in that of the #GP: it makes no #DF.
fn nested() -> Draft {
    gp(draft("db-gate-absent"))
        .poke(gate(1), interrupt_gate(DB_HANDLER) & !(1 << 47))
        .intercept(exit::EXCP + 8)
        .run()
        .exits(exit::VMMCALL)
        .field(Field::RIP, NP_HANDLER)
        .field(Field::RSP, STACK - 20)
        .field(Field::DR6, TRAPPED)
        .peek(STACK - 20)
        .value(1 << 3 | 2 | CODE << 32)
}

/// IRET has unmasked NMIs by then.
fn virtual_nmi() -> Draft {
    let masked = int_ctl::V_NMI_ENABLE | int_ctl::V_NMI_MASK;
    iret(draft("iret-unmasks"))
        .needs(&[CpuFeature::Vnmi])
        .set(Field::INT_CTL, masked)
        .intercept(exit::NMI)
        .intercept(DB)
        .run()
        .exits(DB)
        .field(Field::RIP, CODE)
        .field(Field::INT_CTL, int_ctl::V_NMI_ENABLE)
}

/// Without the bit the new task begins.
fn no_trap() -> Draft {
    gp(draft("clear"))
        .poke(TSS + 0x60, 0)
        .intercept(DB)
        .run()
        .exits(exit::VMMCALL)
        .field(Field::RIP, CODE)
        .field(Field::RSP, STACK - 4)
        .field(Field::DR6, dr::DR6_ONES)
}

/// The flags that the last instruction has left are those of the old task, and not the new one's.
fn flags() -> Draft {
    let zero = Insn::Raw(vec![0x31, 0xc0]);
    let d = draft("flags").about(About::Section("12.3")).program(&[zero]);
    let behind = world::L2_CODE + 9;
    jump(d)
        .intercept(DB)
        .run()
        .exits(DB)
        .field(Field::RIP, CODE)
        .field(Field::RFLAGS, flag::FIXED)
        .peek(OLD + 0x20)
        .value(behind | (IF | flag::ZF | flag::PF) << 32)
}

/// A 16-bit segment holds no upper half of RFLAGS: the new task's is clear, and VM with it.
fn narrow() -> Draft {
    let segment = 0x8100_0000_002b | (TSS & 0xff_ffff) << 16;
    let code = 0x00cf_9b00_0000_ffff | (CODE & 0xff_ffff) << 16 | (CODE >> 24) << 56;
    let selectors = (u64::from(world::L2_DS) * 0x1_0000_0001) << 16 | u64::from(CS) << 32;
    let d = nmi(draft("virtual-8086-to-16-bit"))
        .about(About::Section("12.3"))
        .poke(world::L2_GDT + u64::from(TASK), segment)
        .poke(world::L2_GDT + u64::from(CS), code)
        .poke(TSS + 0x08, 0)
        .poke(TSS + 0x10, flag::FIXED)
        .poke(TSS + 0x18, 0)
        .poke(TSS + 0x20, selectors)
        .poke(TSS + 0x28, world::L2_DS.into());
    Mode::Virtual8086
        .enter(d, world::L2_CODE, false)
        .run()
        .exits(exit::VMMCALL)
        .field(Field::RIP, 0)
        .field(Field::CPL, 0)
        .field(Field::RFLAGS, flag::FIXED | flag::NT)
}

/// A selector of the new task is bad: its exception is the new task's.
fn bad_data() -> Draft {
    call(draft("bad-data-segment"))
        .about(About::Section("12.3"))
        .poke(TSS + 0x50, u64::from(world::L2_DS) | 0x1000 << 32)
        .intercept(DB)
        .intercept(TS)
        .run()
        .exits(TS)
        .field(Field::EXITINFO1, 0x1000)
        .field(Field::RIP, CODE)
        .field(Field::RSP, STACK)
        .field(Field::DR6, dr::DR6_ONES)
}
