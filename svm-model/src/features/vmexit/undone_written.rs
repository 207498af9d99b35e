//! An instruction or an event that does not get through has done nothing: no
//! counter has moved, and what was taken is in EXITINTINFO alone.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::{BusLock, Virq, Vnmi};
use crate::arch::{cr0, dr, event, flag, int_ctl, pte};
use crate::case::{Draft, Insn, Step, world};
use crate::cpu::CpuFeature;
use crate::rules as r;
use crate::rules::RuleId;
use crate::vmcb::{Field, exit};

const IF: u64 = flag::FIXED | flag::IF;
const PRIO_1: u64 = 1 << 16;
const PF: u64 = exit::EXCP + 14;

/// What the leaves of the baseline tables have.
const LEAF: u64 = pte::P | pte::W | pte::U | pte::A | pte::D;

/// Pages of the window by number, their nested entries and those of L2's own tables.
const fn page(n: u64) -> u64 {
    world::DATA + (n << 12)
}

const fn nested(n: u64) -> u64 {
    world::npt::PT + n * 8
}

const fn own(n: u64) -> u64 {
    world::l2pt::PT + n * 8
}

pub(crate) fn cases() -> Vec<Draft> {
    [events(), bus_locks(), repeated()].concat()
}

/// The IDT is where the nested tables have nothing.
fn events() -> Vec<Draft> {
    let absent = |d: Draft| {
        d.needs(&[CpuFeature::Npt])
            .program(&[Insn::Nop])
            .set(Field::IDTR_BASE, page(5))
            .poke(nested(5), 0)
    };
    let virq = |id: &str, int_ctl: u64| {
        absent(
            Draft::new(Virq, format!("undone/{id}"))
                .about([r::event_injection::FAULT_SETS_EXITINTINFO, r::virq::TAKEN_CLEARS]),
        )
        .set(Field::INT_CTL, int_ctl::V_IRQ | PRIO_1 | int_ctl)
        .set(Field::INT_VECTOR, 0x50)
        .set(Field::RFLAGS, IF)
        .run()
        .exits(exit::NPF)
        .at(0)
        .field(Field::EXITINTINFO, event::V | 0x50)
        .field(Field::INT_CTL, PRIO_1 | int_ctl)
    };
    // Taken again from EXITINTINFO, it comes once.
    let again = virq("virq,injected-again", 0)
        .poke(nested(5), page(5) | LEAF)
        .set(Field::IDTR_BASE, world::L2_IDT)
        .set(Field::EVENTINJ, event::V | 0x50)
        .run()
        .takes(0x50, 0, world::L2_CODE)
        .field(Field::INT_CTL, PRIO_1);
    vec![
        virq("virq", 0),
        virq("virq,masking", int_ctl::V_INTR_MASKING),
        again,
        absent(Draft::new(Vnmi, "undone/vnmi").about([
            r::event_injection::FAULT_SETS_EXITINTINFO,
            r::vnmi::TAKEN_CLEARS,
            r::vnmi::EXIT_UNMASKS,
        ]))
        .needs(&[CpuFeature::Vnmi])
        .set(Field::INT_CTL, int_ctl::V_NMI | int_ctl::V_NMI_ENABLE)
        .intercept(exit::NMI)
        .run()
        .exits(exit::NPF)
        .at(0)
        .field(Field::EXITINTINFO, event::V | event::NMI | 2)
        .field(Field::INT_CTL, int_ctl::V_NMI_ENABLE),
        // What fails in L2 alone has been taken, and is masked until IRET.
        Draft::new(Vnmi, "undone/vnmi,in-guest")
            .about([r::vnmi::TAKEN_CLEARS, r::event_injection::INTERMEDIATE_INTERCEPT])
            .needs(&[CpuFeature::Vnmi])
            .program(&[Insn::Nop])
            .poke(world::L2_IDT + 2 * 16, 0)
            .set(Field::INT_CTL, int_ctl::V_NMI | int_ctl::V_NMI_ENABLE)
            .intercept(exit::NMI)
            .run()
            .takes(13, 2 * 8 + 3, world::L2_CODE)
            .field(Field::INT_CTL, int_ctl::V_NMI_ENABLE | int_ctl::V_NMI_MASK),
    ]
}

/// Locked accesses over two lines, which the threshold counts.
fn locks(id: &str, about: RuleId, at: u64, threshold: u64) -> Draft {
    Draft::new(BusLock, format!("undone/bus-lock,{id}"))
        .about(about)
        .needs(&[CpuFeature::BusLockThreshold, CpuFeature::Npt])
        .program(&[Insn::LockNot(at)])
        .intercept(exit::BUSLOCK)
        .set(Field::BUS_LOCK_THRESHOLD, threshold)
}

/// Four bytes before the end of a line.
const SPLIT: u64 = 0x13c;
/// Four bytes before the end of the page.
const END: u64 = 0xffc;

fn bus_locks() -> Vec<Draft> {
    let mut cases = Vec::new();
    for threshold in [0, 1, 2] {
        let kept = |d: Draft| d.field(Field::BUS_LOCK_THRESHOLD, threshold);
        let id = |name: &str| format!("{name},{threshold}");
        let npf = |name: &str, at: u64, n: u64| {
            kept(
                locks(&id(name), r::npt::PRESENT, at, threshold)
                    .poke(nested(n), 0)
                    .run()
                    .exits(exit::NPF)
                    .at(0),
            )
        };
        cases.push(npf("nested", page(6) + SPLIT, 6));
        cases.push(npf("nested,first-page", page(6) + END, 6));
        cases.push(npf("nested,second-page", page(6) + END, 7));
        cases.push(kept(
            locks(&id("page-fault"), r::intercepts::EXCP_PF, page(6) + SPLIT, threshold)
                .poke(own(6), 0)
                .intercept(PF)
                .run()
                .exits(PF)
                .at(0)
                .field(Field::EXITINFO2, page(6) + SPLIT),
        ));
        cases.push(kept(
            locks(&id("page-fault,taken"), r::intercepts::EXCP_PF, page(6) + SPLIT, threshold)
                .poke(own(6), 0)
                .run()
                .takes(14, 2, world::L2_CODE + 10),
        ));
        cases.push(watched(threshold));
        let alignment = locks(&id("alignment"), r::intercepts::EXCP_AC, page(6) + SPLIT, threshold);
        cases.push(kept(
            alignment
                .user()
                .set(Field::CR0, world::L1_CR0 | cr0::AM)
                .set(Field::RFLAGS, flag::AC | flag::FIXED)
                .run()
                .takes(17, 0, world::L2_CODE + 10),
        ));
    }
    cases
}

/// A data breakpoint on the operand: the bus lock counts once, and not at all if it exits.
fn watched(threshold: u64) -> Draft {
    const DB: u64 = exit::EXCP + 1;
    /// Breakpoint 0, on writes of one byte.
    const WRITES: u64 = dr::DR7_ONES | 2 | 1 << 16;
    let about = if threshold == 0 { r::bus_lock::EXIT } else { r::bus_lock::COUNT };
    let d = locks(&format!("watched,{threshold}"), about, page(6) + SPLIT, threshold)
        .step(Step::WriteDr(0, page(6) + SPLIT))
        .set(Field::DR7, WRITES)
        .intercept(DB)
        .run();
    if threshold == 0 {
        return d.exits(exit::BUSLOCK).at(0).field(Field::DR6, dr::DR6_ONES);
    }
    d.exits(DB)
        .at(1)
        .field(Field::DR6, dr::DR6_ONES | dr::DR6_B0)
        .field(Field::BUS_LOCK_THRESHOLD, threshold - 1)
}

/// With the page there, the instruction that did not run is the first to count.
fn repeated() -> Vec<Draft> {
    [0, 1]
        .map(|threshold| {
            let about = if threshold == 0 { r::bus_lock::EXIT } else { r::bus_lock::COUNT };
            let d = locks(&format!("again,{threshold}"), about, page(6) + SPLIT, threshold)
                .poke(nested(6), 0)
                .run()
                .exits(exit::NPF)
                .at(0)
                .poke(nested(6), page(6) | LEAF)
                .set(Field::RIP, world::L2_CODE)
                .run();
            if threshold == 0 {
                d.exits(exit::BUSLOCK).at(0)
            } else {
                d.ends().field(Field::BUS_LOCK_THRESHOLD, 0)
            }
        })
        .into()
}
