//! What CPUID features add: nested paging and its PAT, GMET, the TSC's ratio,
//! the branch record, the PAUSE filter, the SVM lock.

use svm_model::Feature::{BusLock, Gmet, IdleHlt, Lbrv, Msr, Npt, PauseFilter, SpecCtrl, TscScale};
use svm_model::arch::msr::{
    BR_FROM, BR_TO, DEBUGCTL, PAT, SPEC_CTRL, SVM_KEY, TSC, TSC_ADJUST, TSC_RATIO, VM_CR,
};
use svm_model::case::{Insn, Step, world};
use svm_model::cpu::CpuFeature;
use svm_model::vmcb::{Field, exit};

use super::{Move, at, draft, in_l1, mark};

/// A page of the window, and its nested entry.
const PAGE: u64 = world::DATA + 0x5000;
const ENTRY: u64 = world::npt::PT + 5 * 8;

pub(super) fn cases() -> Vec<Move> {
    [nested_paging(), tsc(), last_branch(), pause(), lock(), newer()].concat()
}

fn nested_paging() -> Vec<Move> {
    let npt = |id: &str, feature| draft(&format!("npt/{id}"), feature).needs(&[CpuFeature::Npt]);
    let load = &[Insn::Nop, Insn::Load(0, PAGE)];
    vec![
        at(
            0,
            npt("moved-page", Npt)
                .program(load)
                .poke(PAGE + 0x1000, 0x1234)
                .poke(ENTRY, (PAGE + 0x1000) | 0x67)
                .run(),
        ),
        at(0, npt("fault", Npt).program(load).poke(ENTRY, 0).run()),
        // Without the host's EFER.NXE, bit 63 would be reserved.
        at(0, npt("no-execute", Npt).program(load).poke(ENTRY, PAGE | 0x67 | 1 << 63).run()),
        at(
            0,
            npt("pat-of-l2", Npt)
                .program(&[Insn::Nop, Insn::Rdmsr(PAT)])
                .set(Field::G_PAT, 0x0606_0606_0606_0606)
                .run()
                .step(Step::Rdmsr(PAT)),
        ),
        at(
            0,
            npt("pat-of-l1", Npt)
                .program(&[Insn::Nop, Insn::Rdmsr(PAT)])
                .step(Step::Wrmsr(PAT, 0x0404_0404_0404_0404))
                .run()
                .step(Step::Rdmsr(PAT)),
        ),
        // Supervisor pages for the code of L2, a user page for where it goes.
        at(
            0,
            npt("gmet", Gmet)
                .needs(&[CpuFeature::Gmet])
                .program(&[Insn::Nop, Insn::Jump(PAGE)])
                .set(Field::NESTED_CTL, 9)
                .poke(world::npt::PD + 4 * 8, 4 << 21 | 0xe3)
                .poke(ENTRY, PAGE | 0x67)
                .run(),
        ),
    ]
}

/// A TSC of that many bits tells what it was made of, and not how long it took.
fn tsc() -> Vec<Move> {
    let tsc = |id: &str| {
        draft(&format!("tsc/{id}"), TscScale).program(&[
            Insn::Nop,
            Insn::Rdtsc,
            Insn::Shr(2, 16),
            // The lower half tells the time.
            Insn::Mov(0, 0),
        ])
    };
    vec![
        at(0, tsc("offset").set(Field::TSC_OFFSET, 0x1234 << 48).run()),
        at(
            0,
            tsc("ratio")
                .needs(&[CpuFeature::TscScale])
                .step(Step::Wrmsr(TSC, 1 << 56))
                .step(Step::Wrmsr(TSC_RATIO, 1 << 30))
                .run()
                .step(Step::Rdmsr(TSC_RATIO)),
        ),
        at(
            0,
            tsc("ratio-and-offset")
                .needs(&[CpuFeature::TscScale])
                .step(Step::Wrmsr(TSC, 1 << 56))
                .step(Step::Wrmsr(TSC_RATIO, 1 << 31))
                .set(Field::TSC_OFFSET, 0x1200 << 48)
                .run(),
        ),
        at(
            0,
            tsc("adjust")
                .needs(&[CpuFeature::TscScale])
                .step(Step::Wrmsr(TSC_ADJUST, 1 << 56))
                .run()
                .step(Step::Rdmsr(TSC_ADJUST)),
        ),
        in_l1(
            mark(
                draft("tsc/ratio-of-l1", TscScale)
                    .needs(&[CpuFeature::TscScale])
                    .step(Step::Wrmsr(TSC_RATIO, 1 << 31)),
            )
            .step(Step::Rdmsr(TSC_RATIO)),
        ),
    ]
}

fn last_branch() -> Vec<Move> {
    let target = world::L2_CODE + 0x40;
    let lbr = |id: &str, first: &[Insn]| {
        let program: Vec<Insn> = first.iter().cloned().chain(vec![Insn::Nop; 0x80]).collect();
        draft(&format!("lbr/{id}"), Lbrv).needs(&[CpuFeature::Lbrv]).program(&program)
    };
    let loaded = |id: &str, first: &[Insn], virtualized: u64, debugctl: u64| {
        lbr(id, first)
            .set(Field::VIRT_EXT, virtualized)
            .set(Field::DBGCTL, debugctl)
            .set(Field::BR_FROM, 0x1111)
            .set(Field::BR_TO, 0x2222)
            .set(Field::LASTEXCPFROM, 0x3333)
            .set(Field::LASTEXCPTO, 0x4444)
    };
    let host = |d: svm_model::case::Draft| {
        d.run().step(Step::Rdmsr(DEBUGCTL)).step(Step::Rdmsr(BR_FROM)).step(Step::Rdmsr(BR_TO))
    };
    // The target of the jump, some instructions into the padding.
    let jump = [Insn::Jump(target)];
    let landed = target - world::L2_CODE - 12;
    let enabled = [Insn::Wrmsr(DEBUGCTL, 1), Insn::Jump(target)];
    vec![
        at(1, host(loaded("virtualized", &[Insn::Nop], 1, 0))),
        at(1, host(loaded("not-virtualized", &[Insn::Nop], 0, 0))),
        at(0, host(loaded("branch-behind", &jump, 1, 1))),
        at(1 + landed as usize, host(loaded("branch-before", &jump, 1, 1))),
        at(1, host(loaded("enabled-by-l2", &enabled, 1, 0))),
        in_l1(
            mark(
                draft("lbr/recorded-in-l1", Lbrv)
                    .needs(&[CpuFeature::Lbrv])
                    .step(Step::Wrmsr(DEBUGCTL, 1))
                    .step(Step::Wrmsr(DEBUGCTL, 0)),
            )
            .step(Step::Rdmsr(BR_FROM))
            .step(Step::Rdmsr(BR_TO)),
        ),
    ]
}

fn pause() -> Vec<Move> {
    let pauses = vec![Insn::Pause; 6];
    let pause = |id: &str, count: u64| {
        draft(&format!("pause/{id}"), PauseFilter)
            .needs(&[CpuFeature::PauseFilter])
            .program(&pauses)
            .set(Field::PAUSE_FILTER_COUNT, count)
            .intercept(exit::PAUSE)
    };
    vec![
        at(0, pause("filter-loaded", 3).run()),
        at(2, pause("filter-half-used", 4).run()),
        at(1, pause("filter-not-used-up", 9).run()),
    ]
}

/// What the newer features keep: an intercept, a count, a register.
fn newer() -> Vec<Move> {
    // Four bytes before the end of a cache line.
    let locks = vec![Insn::LockNot(world::DATA + 0x13c); 4];
    let bus_lock = |id: &str, count: u64| {
        draft(&format!("bus-lock/{id}"), BusLock)
            .needs(&[CpuFeature::BusLockThreshold])
            .program(&locks)
            .set(Field::BUS_LOCK_THRESHOLD, count)
            .intercept(exit::BUSLOCK)
    };
    let spec_ctrl = |id: &str| {
        draft(&format!("spec-ctrl/{id}"), SpecCtrl)
            .needs(&[CpuFeature::VirtSpecCtrl])
            .needs(&[CpuFeature::Ibrs])
            .needs(&[CpuFeature::Ssbd])
            .step(Step::Wrmsr(SPEC_CTRL, 1))
    };
    vec![
        at(
            1,
            draft("idle-hlt/intercept", IdleHlt)
                .needs(&[CpuFeature::IdleHlt])
                .program(&[Insn::Nop, Insn::Hlt])
                .intercept(exit::IDLE_HLT)
                .run(),
        ),
        at(0, bus_lock("none-left", 0).run()),
        at(2, bus_lock("half-used", 3).run()),
        at(1, bus_lock("not-used-up", 9).run()),
        at(
            1,
            spec_ctrl("of-l2")
                .program(&[Insn::Nop, Insn::Rdmsr(SPEC_CTRL)])
                .set(Field::SPEC_CTRL, 4)
                .run()
                .step(Step::Rdmsr(SPEC_CTRL)),
        ),
        in_l1(mark(spec_ctrl("of-l1")).step(Step::Rdmsr(SPEC_CTRL))),
    ]
}

/// VM_CR and its key, in L1.
fn lock() -> Vec<Move> {
    let locked = draft("msr/svm-lock", Msr)
        .needs(&[CpuFeature::SvmLock])
        .step(Step::Wrmsr(SVM_KEY, 0x1234))
        .step(Step::Wrmsr(VM_CR, 8));
    let tried = mark(locked)
        .step(Step::Wrmsr(VM_CR, 0))
        .step(Step::Rdmsr(VM_CR))
        .step(Step::Wrmsr(SVM_KEY, 0x1234))
        .step(Step::Rdmsr(VM_CR));
    vec![in_l1(tried)]
}
