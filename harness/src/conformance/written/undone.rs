//! An instruction or an event that does not get through has done nothing: no
//! counter has moved, and what was taken is in EXITINTINFO alone.

use svm_model::Feature::{BusLock, Virq, Vnmi};
use svm_model::case::{Insn, world};
use svm_model::cpu::CpuFeature;
use svm_model::vmcb::{Field, exit};

use super::Draft;

const IF: u64 = 0x202;
const V_IRQ: u64 = 1 << 8;
const PRIO_1: u64 = 1 << 16;
const V_NMI: u64 = 1 << 11;
const V_NMI_ENABLE: u64 = 1 << 26;
/// EXITINTINFO.V.
const VALID: u64 = 1 << 31;
const TYPE_NMI: u64 = 2 << 8;
const PF: u64 = exit::EXCP + 14;

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

pub(super) fn cases() -> Vec<Draft> {
    [events(), bus_locks(), repeated()].concat()
}

/// The IDT is where the nested tables have nothing.
fn events() -> Vec<Draft> {
    let absent = |d: Draft| {
        d.needs(CpuFeature::Npt)
            .program(&[Insn::Nop])
            .set(Field::IDTR_BASE, page(5))
            .mem(nested(5), 0)
    };
    let virq = |id: &str, int_ctl: u64| {
        absent(Draft::new(format!("undone/{id}"), Virq, "15.21.4"))
            .set(Field::INT_CTL, V_IRQ | PRIO_1 | int_ctl)
            .set(Field::INT_VECTOR, 0x50)
            .set(Field::RFLAGS, IF)
            .run()
            .exits(exit::NPF)
            .at(0)
            .field(Field::EXITINTINFO, VALID | 0x50)
            .field(Field::INT_CTL, PRIO_1 | int_ctl)
    };
    // Taken again from EXITINTINFO, it comes once.
    let again = virq("virq,injected-again", 0)
        .mem(nested(5), page(5) | 0x67)
        .set(Field::IDTR_BASE, world::L2_IDT)
        .set(Field::EVENTINJ, VALID | 0x50)
        .run()
        .takes(0x50, 0, world::L2_CODE)
        .field(Field::INT_CTL, PRIO_1);
    vec![
        virq("virq", 0),
        virq("virq,masking", 1 << 24),
        again,
        absent(Draft::new("undone/vnmi", Vnmi, "15.21.10"))
            .needs(CpuFeature::Vnmi)
            .set(Field::INT_CTL, V_NMI | V_NMI_ENABLE)
            .intercept(exit::NMI)
            .run()
            .exits(exit::NPF)
            .at(0)
            .field(Field::EXITINTINFO, VALID | TYPE_NMI | 2)
            .field(Field::INT_CTL, V_NMI_ENABLE),
    ]
}

/// Locked accesses over two lines, which the threshold counts.
fn locks(id: &str, at: u64, threshold: u64) -> Draft {
    Draft::new(format!("undone/bus-lock,{id}"), BusLock, "15.14.5")
        .needs(CpuFeature::BusLockThreshold)
        .needs(CpuFeature::Npt)
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
            kept(locks(&id(name), at, threshold).mem(nested(n), 0).run().exits(exit::NPF).at(0))
        };
        cases.push(npf("nested", page(6) + SPLIT, 6));
        cases.push(npf("nested,first-page", page(6) + END, 6));
        cases.push(npf("nested,second-page", page(6) + END, 7));
        cases.push(kept(
            locks(&id("page-fault"), page(6) + SPLIT, threshold)
                .mem(own(6), 0)
                .intercept(PF)
                .run()
                .exits(PF)
                .at(0)
                .field(Field::EXITINFO2, page(6) + SPLIT),
        ));
        cases.push(kept(
            locks(&id("page-fault,taken"), page(6) + SPLIT, threshold).mem(own(6), 0).run().takes(
                14,
                2,
                world::L2_CODE + 10,
            ),
        ));
        let alignment = locks(&id("alignment"), page(6) + SPLIT, threshold);
        cases.push(kept(
            alignment
                .user()
                .set(Field::CR0, 0x8005_0033)
                .set(Field::RFLAGS, 1 << 18 | 2)
                .run()
                .takes(17, 0, world::L2_CODE + 10),
        ));
    }
    cases
}

/// With the page there, the instruction that did not run is the first to count.
fn repeated() -> Vec<Draft> {
    [0, 1]
        .map(|threshold| {
            let d = locks(&format!("again,{threshold}"), page(6) + SPLIT, threshold)
                .mem(nested(6), 0)
                .run()
                .exits(exit::NPF)
                .at(0)
                .mem(nested(6), page(6) | 0x67)
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
