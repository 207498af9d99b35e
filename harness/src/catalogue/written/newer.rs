//! The newer features, a few cases each: idle HLT, the bus lock threshold,
//! SPEC_CTRL, and the write traps that only SEV-ES guests have.

use svm_model::Feature;
use svm_model::case::{Event, Insn, Step, world};
use svm_model::cpu::CpuFeature;
use svm_model::outcome::Obs;
use svm_model::vmcb::{Field, exit};

use super::draft::{Draft, GP};

/// V_IRQ and V_IGN_TPR.
const V_IRQ: u64 = 1 << 8 | 1 << 20;
/// V_NMI, V_NMI_MASK and V_NMI_ENABLE.
const V_NMI_HELD: u64 = 1 << 11 | 1 << 12 | 1 << 26;
const RFLAGS_IF: u64 = 0x202;
/// Four bytes before the end of a cache line.
const SPLIT: u64 = world::DATA + 0x13c;
const SPEC_CTRL: u32 = 0x48;
const EFER: u32 = 0xc000_0080;

pub(super) fn cases() -> Vec<Draft> {
    [idle_hlt(), bus_lock(), spec_ctrl(), write_traps()].concat()
}

fn idle_hlt() -> Vec<Draft> {
    let idle = |id: &str| {
        Draft::new(format!("idle-hlt/{id}"), Feature::IdleHlt, "15.9")
            .needs(CpuFeature::IdleHlt)
            .program(&[Insn::Hlt])
            .intercept(exit::IDLE_HLT)
    };
    let pending = |id: &str| idle(id).set(Field::INT_STATE, 1).set(Field::RFLAGS, RFLAGS_IF);
    let behind = world::L2_CODE + 1;
    vec![
        idle("exits").run().exits(exit::IDLE_HLT).at(0),
        idle("next-rip")
            .needs(CpuFeature::NripSave)
            .run()
            .exits(exit::IDLE_HLT)
            .at(0)
            .field(Field::NRIP, behind),
        idle("hlt-first").intercept(exit::HLT).run().exits(exit::HLT).at(0),
        idle("cpl-first").user().run().takes(13, 0, world::L2_CODE),
        // HLT executes in the shadow, and ends with the interrupt that is pending.
        pending("virq-pending")
            .set(Field::INT_CTL, V_IRQ)
            .set(Field::INT_VECTOR, 0x51)
            .run()
            .takes(0x51, 0, behind),
        // A virtual NMI that is masked is pending all the same.
        pending("vnmi-pending")
            .needs(CpuFeature::Vnmi)
            .set(Field::INT_CTL, V_NMI_HELD)
            .intercept(exit::NMI)
            .l1(Insn::Clgi, 0)
            .raise(Event::Intr(0x61))
            .run()
            .takes(0x61, 0, behind),
    ]
}

fn bus_lock() -> Vec<Draft> {
    let locks = |id: &str, program: &[Insn], count: u64| {
        Draft::new(format!("bus-lock/{id}"), Feature::BusLock, "15.14.5")
            .needs(CpuFeature::BusLockThreshold)
            .program(program)
            .intercept(exit::BUSLOCK)
            .set(Field::BUS_LOCK_THRESHOLD, count)
            .run()
    };
    let three = [const { Insn::LockNot(SPLIT) }; 3];
    let exits = |draft: Draft, n: usize| {
        draft.exits(exit::BUSLOCK).at(n).field(Field::EXITINFO1, 0).field(Field::EXITINFO2, 0)
    };
    vec![
        exits(locks("none-left", &three, 0), 0).field(Field::BUS_LOCK_THRESHOLD, 0).peek(SPLIT, 0),
        exits(locks("two-left", &three, 2), 2).field(Field::BUS_LOCK_THRESHOLD, 0),
        locks("enough-left", &three, 0x8000)
            .ends()
            .field(Field::BUS_LOCK_THRESHOLD, 0x7ffd)
            .peek(SPLIT, u64::MAX),
        exits(locks("xchg", &[Insn::Xchg(SPLIT)], 0), 0).peek(SPLIT, 0),
        locks("one-line", &[Insn::LockNot(SPLIT - 4)], 0).ends().peek(SPLIT - 4, u64::MAX),
        locks("not-locked", &[Insn::Store(SPLIT)], 0).ends(),
    ]
}

fn spec_ctrl() -> Vec<Draft> {
    let own = |id: &str| {
        Draft::new(format!("spec-ctrl/{id}"), Feature::SpecCtrl, "15.37.1")
            .needs(CpuFeature::VirtSpecCtrl)
            .needs(CpuFeature::Ibrs)
            .needs(CpuFeature::Stibp)
            .needs(CpuFeature::Ssbd)
    };
    let host =
        |draft: Draft, value: u64| draft.step(Step::Rdmsr(SPEC_CTRL)).shows(Obs::Value(value));
    vec![
        host(
            own("guest-reads-its-own")
                .program(&[Insn::Rdmsr(SPEC_CTRL)])
                .step(Step::Wrmsr(SPEC_CTRL, 1))
                .set(Field::SPEC_CTRL, 6)
                .run()
                .ends()
                .field(Field::RAX, 6)
                .field(Field::SPEC_CTRL, 6),
            1,
        ),
        host(
            own("guest-writes-its-own")
                .program(&[Insn::Wrmsr(SPEC_CTRL, 4)])
                .step(Step::Wrmsr(SPEC_CTRL, 1))
                .run()
                .ends()
                .field(Field::SPEC_CTRL, 4),
            1,
        ),
        own("reserved").step(Step::Wrmsr(SPEC_CTRL, 1 << 3)).shows(GP),
    ]
}

/// All of them set: CR0 to CR15, and EFER.
fn write_traps() -> Vec<Draft> {
    let traps = |id: &str, program: &[Insn]| {
        Draft::new(format!("write-trap/{id}"), Feature::Intercepts, "15.35.10")
            .program(program)
            .also(Field::INTERCEPT_MISC2, 0xffff_8000)
            .run()
            .ends()
    };
    vec![
        traps("cr0", &[Insn::Mov(0, 0x8001_0033), Insn::WriteCr(0, 0)]),
        traps("cr3", &[Insn::Mov(0, world::L2PT), Insn::WriteCr(3, 0)]),
        traps("cr4", &[Insn::Mov(0, 0x20), Insn::WriteCr(4, 0)]),
        traps("cr8", &[Insn::Mov(0, 5), Insn::WriteCr(8, 0)]),
        traps("efer", &[Insn::Wrmsr(EFER, 0x1d01)]).field(Field::EFER, 0x1d01),
    ]
}
