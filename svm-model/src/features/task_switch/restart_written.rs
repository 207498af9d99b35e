//! A nested page fault in the middle of a task switch: the exit comes before the instruction, or
//! with the event in EXITINTINFO, so that once the page is there the switch happens from the start
//! (15.7.2, 15.25.6). Exceptions of the new task's selectors are the new task's (12.3), but a
//! nested page fault is none.

use alloc::format;
use alloc::vec::Vec;

use super::trap_written::{
    BAD_ERROR, CODE, CS, IF, OLD, STACK, TSS, call, gp, inject_gp, int, intr, iret, jump, new_task,
    nmi, tr, ud, virq,
};
use crate::arch::{cr0, dr, event, flag, int_ctl};
use crate::case::listing::{CARRY, raw};
use crate::case::{About, Draft, Step, world};
use crate::cpu::CpuFeature;
use crate::vmcb::{Field, exit};

/// The new task's LDT, in a page of its own: its code segment, and its data segment.
const LDT: u64 = world::DATA + 0x9000;
/// Where the GDT describes it.
const LDT_SELECTOR: u64 = 0x28;
const LOCAL_CS: u64 = 4;
const LOCAL_DS: u64 = 0xc;

const DB: u64 = exit::EXCP + 1;
const GP: u64 = 13;

/// How a task is entered, and what EXITINTINFO says of that.
struct Way {
    name: &'static str,
    arranged: fn(Draft) -> Draft,
    event: u64,
    /// Bytes of the instruction, where it is a software interrupt.
    len: u64,
    /// Bytes that the switch pushes.
    pushed: u64,
}

const fn way(name: &'static str, arranged: fn(Draft) -> Draft, event: u64) -> Way {
    Way { name, arranged, event, len: 0, pushed: 0 }
}

const GP_INFO: u64 = BAD_ERROR << 32 | event::V | event::EV | event::EXCEPTION | GP;

const WAYS: [Way; 10] = [
    way("jump", jump, 0),
    way("call", call, 0),
    way("iret", iret, 0),
    Way { len: 2, ..way("int", int, event::V | event::SOFTWARE | 0x40) },
    way("ud", ud, event::V | event::EXCEPTION | 6),
    way("intr", intr, event::V | 0x61),
    way("nmi", nmi, event::V | event::NMI | 2),
    way("virq", virq, event::V | 0x62),
    Way { pushed: 4, ..way("gp", gp, GP_INFO) },
    Way { pushed: 4, ..way("inject-gp", inject_gp, GP_INFO) },
];

/// The nested entry of a page.
const fn entry(page: u64) -> u64 {
    world::npt::PT + (page - world::DATA) / 0x1000 * 8
}

pub(crate) fn cases() -> Vec<Draft> {
    let absent = WAYS.iter().map(descriptors_absent);
    let push = WAYS.iter().filter(|way| way.pushed > 0).map(stack_absent);
    let kept = [("jump", jump as fn(Draft) -> Draft), ("call", call), ("iret", iret)].map(flags);
    // Neither VMRUN nor #VMEXIT loads TR: the new task is left in it.
    let watched = WAYS.iter().filter(|way| way.event == 0).map(breakpoint);
    absent.chain(push).chain(kept).chain(watched).map(|d| tr(d, world::L2_TSS)).collect()
}

/// Without the T bit, and with a new task that has its segments in an LDT.
fn local(way: &Way, what: &str) -> Draft {
    let flat = 0x00cf_0000_0000_ffff;
    let (code, data) = (flat | 0x9b << 40, flat | 0x93 << 40);
    let ldt = 0x8200_0000_000f | (LDT & 0xff_ffff) << 16 | (LDT >> 24) << 56;
    let d = (way.arranged)(new_task(&format!("restart,{},{what}", way.name)));
    d.about(About::Section("15.25.6"))
        .needs(&[CpuFeature::Npt])
        .poke(world::L2_GDT + LDT_SELECTOR, ldt)
        .poke(LDT, code)
        .poke(LDT + 8, data)
        .poke(TSS + 0x48, LOCAL_DS | LOCAL_CS << 32)
        .poke(TSS + 0x50, LOCAL_DS | LOCAL_DS << 32)
        .poke(TSS + 0x58, LOCAL_DS | LOCAL_DS << 32)
        .poke(TSS + 0x60, LDT_SELECTOR)
}

/// Exits for want of that page in the old task, and gets into the new one with it.
fn restarted(d: Draft, way: &Way, address: u64) -> Draft {
    let page = address & !0xfff;
    let old = d
        .poke(entry(page), 0)
        .run()
        .exits(exit::NPF)
        .at(0)
        .field(Field::EXITINFO2, address)
        .field(Field::EXITINTINFO, way.event)
        .field(Field::CS_SELECTOR, world::L2_CS.into())
        .field(Field::SS_SELECTOR, world::L2_DS.into())
        .field(Field::RSP, world::L2_STACK)
        .field(Field::CR0, cr0::ET | cr0::PE);
    let old = if way.name == "virq" { old.field(Field::INT_CTL, int_ctl::V_IGN_TPR) } else { old };
    let mapped = world::table_entry(entry(page)).unwrap_or(0);
    let new = old.poke(entry(page), mapped).set(Field::EVENTINJ, way.event);
    let new = if way.len > 0 { new.set(Field::NRIP, world::L2_CODE + way.len) } else { new };
    new.run()
        .exits(exit::VMMCALL)
        .field(Field::RIP, CODE)
        .field(Field::CS_SELECTOR, LOCAL_CS)
        .field(Field::RSP, STACK - way.pushed)
        .field(Field::CR0, cr0::ET | cr0::PE | cr0::TS)
        .step(Step::Peek { pa: OLD + 0x38, width: 4 })
        .value(world::L2_STACK)
        .peek(OLD + 0x48)
        .value(u64::from(world::L2_DS) | u64::from(world::L2_CS) << 32)
}

/// The new task's descriptors are the first that the switch meets in it.
fn descriptors_absent(way: &Way) -> Draft {
    restarted(local(way, "descriptors"), way, LDT)
}

/// Its stack is the last: DR7's local breakpoints are off by then.
fn stack_absent(way: &Way) -> Draft {
    restarted(local(way, "stack"), way, STACK - 4)
}

/// A data breakpoint on a descriptor of the new task traps behind the switch (13.1.4).
fn breakpoint(way: &Way) -> Draft {
    // Global, for reads and writes of a doubleword.
    const DR7: u64 = dr::DR7_ONES | 0xf << 16 | 2;
    local(way, "breakpoint")
        .about(About::Section("13.1.4"))
        .step(Step::WriteDr(0, LDT))
        .set(Field::DR7, DR7)
        .intercept(DB)
        .run()
        .exits(DB)
        .field(Field::RIP, CODE)
        .field(Field::CS_SELECTOR, LOCAL_CS)
        .field(Field::RSP, STACK)
        .field(Field::DR6, dr::DR6_ONES | dr::DR6_B0)
        .peek(OLD + 0x48)
        .value(u64::from(world::L2_DS) | u64::from(world::L2_CS) << 32)
}

/// What the old task gets as its flags are those of its last instruction, and the new task has the
/// flags of its own segment.
fn flags((name, arranged): (&str, fn(Draft) -> Draft)) -> Draft {
    let d = new_task(&format!("carry,{name}")).about(About::Section("12.3")).program(&[raw(CARRY)]);
    let d = arranged(d).poke(TSS + 0x60, 0).poke(TSS + 0x20, CODE | (flag::FIXED | flag::ZF) << 32);
    let nested = if name == "call" { flag::NT } else { 0 };
    let len = if name == "iret" { 1 } else { 7 };
    let behind = world::L2_CODE + CARRY.len() as u64 + len;
    d.run()
        .exits(exit::VMMCALL)
        .field(Field::RIP, CODE)
        .field(Field::CS_SELECTOR, CS.into())
        .field(Field::RFLAGS, flag::FIXED | flag::ZF | nested)
        .peek(OLD + 0x20)
        .value(behind | (IF | flag::CF | flag::AF) << 32)
}
