//! Intercepts, and the state of the processor that L2 or L1 runs with.

use svm_model::Feature::{Debug, DecodeAssists, Intercepts, Msr, Nrip, VmloadVmsave, VmrunChecks};
use svm_model::arch::msr::{EFER, FS_BASE, KERNEL_GS_BASE, VM_HSAVE_PA};
use svm_model::case::{Draft, Insn, Step, world};
use svm_model::cpu::CpuFeature;
use svm_model::vmcb::{Field, exit};

use super::{Move, at, draft, in_handler, in_l1, mark};

/// EFER's two bits in the map: the vector of C000_0000 begins at byte 0x800.
const EFER_BYTE: u64 = world::MSRPM + 0x800 + 0x80 / 4;
/// A page of the window.
const PAGE: u64 = world::DATA + 0x5000;

pub(super) fn cases() -> Vec<Move> {
    [plain(), intercepts(), exits(), debug(), registers(), monitor()].concat()
}

fn plain() -> Vec<Move> {
    let nops = &[Insn::Nop, Insn::Nop];
    let plain = |id: &str| draft(&format!("l2/{id}"), VmrunChecks).program(nops);
    vec![
        at(0, plain("first-instruction").run()),
        at(1, plain("second-instruction").run()),
        at(1, plain("without-nested-paging").without(&[CpuFeature::Npt]).run()),
        at(1, plain("user").user().run()),
        // The CPL is a register of its own (15.5.1), whatever SS says.
        at(
            0,
            draft("l2/cpl-is-not-that-of-ss", VmrunChecks)
                .program(&[Insn::Nop, Insn::Cli])
                .set(Field::CPL, 3)
                .run(),
        ),
        // Behind the journey, L2 exits, and L1 runs another one.
        at(1, plain("again").run().set(Field::RIP, world::L2_CODE + 1).run()),
        in_l1(mark(plain("between-two").run()).set(Field::RIP, world::L2_CODE).run()),
        in_l1(mark(plain("before-the-first")).run()),
        in_l1(mark(plain("host-save-area").step(Step::Wrmsr(VM_HSAVE_PA, PAGE))).run()),
    ]
}

/// One of each of the words that hold intercepts.
fn intercepts() -> Vec<Move> {
    let each = [
        ("cr-read", Insn::ReadCr(0, 3), exit::CR_READ),
        ("cr-write", Insn::WriteCr(8, 0), exit::CR_WRITE + 8),
        ("dr-read", Insn::ReadDr(0, 3), exit::DR_READ),
        ("dr-write", Insn::WriteDr(1, 0), exit::DR_WRITE + 1),
        ("exception", Insn::Ud2, exit::EXCP + 6),
        ("first-word", Insn::Cpuid, exit::CPUID),
        ("second-word", Insn::Wbinvd, exit::WBINVD),
        ("third-word", Insn::Invpcid(0), exit::INVPCID),
    ];
    let intercepted = |(name, insn, code): (&str, Insn, u64)| {
        let case = draft(&format!("intercept/{name}"), Intercepts);
        let case = if code == exit::INVPCID { case.needs(&[CpuFeature::Invpcid]) } else { case };
        at(0, case.program(&[Insn::Nop, insn]).intercept(code).run())
    };
    let mut cases: Vec<Move> = each.into_iter().map(intercepted).collect();
    let bit = |draft: Draft, pa: u64| draft.step(Step::Mem { pa, width: 1, value: 1 });
    let msr = draft("intercept/msr-map", Intercepts).program(&[Insn::Nop, Insn::Rdmsr(EFER)]);
    cases.push(at(0, bit(msr.intercept(exit::MSR), EFER_BYTE).run()));
    let port = Insn::Out { size: 1, port: 0x80 };
    let io = draft("intercept/io-map", Intercepts).program(&[Insn::Nop, port]);
    cases.push(at(0, bit(io.intercept(exit::IOIO), world::IOPM + 0x80 / 8).run()));
    cases
}

/// What exits report.
fn exits() -> Vec<Move> {
    vec![
        at(
            0,
            draft("exit/next-rip", Nrip)
                .needs(&[CpuFeature::NripSave])
                .program(&[Insn::Nop, Insn::Cpuid])
                .intercept(exit::CPUID)
                .run(),
        ),
        at(
            0,
            draft("exit/mov-cr-register", DecodeAssists)
                .needs(&[CpuFeature::DecodeAssists])
                .program(&[Insn::Nop, Insn::ReadCr(0, 11)])
                .intercept(exit::CR_READ)
                .run(),
        ),
        at(
            0,
            draft("exit/instruction-bytes", DecodeAssists)
                .needs(&[CpuFeature::DecodeAssists])
                .program(&[Insn::Nop, Insn::Load(0, PAGE)])
                .poke(world::npt::PT + 5 * 8, 0)
                .run(),
        ),
    ]
}

fn debug() -> Vec<Move> {
    let nops = &[Insn::Nop, Insn::Nop];
    let debug = |id: &str| draft(&format!("debug/{id}"), Debug);
    vec![
        at(0, debug("single-step").program(nops).set(Field::RFLAGS, 0x102).run()),
        at(
            0,
            debug("breakpoint")
                .program(nops)
                .step(Step::WriteDr(0, world::L2_CODE + 1))
                .set(Field::DR7, 0x402)
                .run(),
        ),
        // Eight bytes, on writes.
        at(
            0,
            debug("watchpoint")
                .program(&[Insn::Nop, Insn::Store(PAGE), Insn::Nop])
                .step(Step::WriteDr(0, PAGE))
                .set(Field::DR7, 0x9_0402)
                .run(),
        ),
        // L1's breakpoint is none of L2's.
        at(
            0,
            debug("breakpoint-of-l1")
                .program(nops)
                .step(Step::WriteDr(0, world::L2_CODE + 1))
                .step(Step::WriteDr(7, 0x402))
                .run(),
        ),
        at(
            1,
            debug("dr6")
                .program(&[Insn::Nop, Insn::Nop, Insn::ReadDr(6, 0)])
                .set(Field::DR6, 0xffff_4ff0)
                .run(),
        ),
        at(
            0,
            draft("debug/alignment-check", Intercepts)
                .program(&[Insn::Nop, Insn::Load(0, PAGE + 1)])
                .user()
                .also(Field::CR0, 1 << 18)
                .also(Field::RFLAGS, 1 << 18)
                .run(),
        ),
        in_handler(6, draft("debug/in-handler", Intercepts).program(&[Insn::Ud2]).run()),
    ]
}

/// What VMRUN does not load, and control registers that differ from L1's.
fn registers() -> Vec<Move> {
    let vmload = |id: &str| draft(&format!("registers/{id}"), VmloadVmsave);
    vec![
        at(
            0,
            vmload("vmsave-behind")
                .program(&[Insn::Nop])
                .step(Step::Wrmsr(FS_BASE, 0x1234_5000))
                .step(Step::Wrmsr(KERNEL_GS_BASE, 0x7000_0000_4000))
                .run()
                .l1(Insn::Vmsave, PAGE)
                .step(Step::Peek { pa: PAGE + u64::from(Field::FS_BASE.offset()), width: 8 })
                .step(Step::Peek {
                    pa: PAGE + u64::from(Field::KERNEL_GS_BASE.offset()),
                    width: 8,
                }),
        ),
        at(
            0,
            vmload("virtual-vmsave")
                .needs(&[CpuFeature::Npt])
                .needs(&[CpuFeature::VirtVmload])
                .program(&[Insn::Mov(0, PAGE), Insn::Vmsave])
                .step(Step::Wrmsr(FS_BASE, 0x1234_5000))
                .set(Field::VIRT_EXT, 2)
                .poke(world::npt::PT + 5 * 8, (PAGE + 0x1000) | 0x67)
                .run()
                .step(Step::Peek {
                    pa: PAGE + 0x1000 + u64::from(Field::FS_BASE.offset()),
                    width: 8,
                }),
        ),
        at(
            0,
            draft("registers/cr2", VmrunChecks)
                .program(&[Insn::Nop, Insn::ReadCr(2, 0)])
                .set(Field::CR2, 0x5_6000)
                .run(),
        ),
        at(
            0,
            draft("registers/control-registers", VmrunChecks)
                .program(&[Insn::Nop, Insn::ReadCr(4, 0)])
                .set(Field::CR4, 0x6a0)
                .set(Field::CR0, 0x8001_003b)
                .run(),
        ),
        at(
            0,
            draft("registers/efer", Msr)
                .program(&[Insn::Nop, Insn::Rdmsr(EFER)])
                .set(Field::EFER, 0x1d01)
                .run()
                .step(Step::Rdmsr(EFER)),
        ),
    ]
}

/// Between MONITOR and MWAIT, which has an intercept for each state of the monitor.
fn monitor() -> Vec<Move> {
    let operands = [Insn::Mov(0, PAGE), Insn::Mov(1, 0), Insn::Mov(2, 0)];
    let waits = |id: &str, first: Insn| {
        let case = draft(&format!("monitor/{id}"), Intercepts)
            .needs(&[CpuFeature::Monitor])
            .program(&[&operands[..], &[first, Insn::Nop, Insn::Mwait]].concat())
            .intercept(exit::MWAIT)
            .intercept(exit::MWAIT_ARMED);
        at(5, case.run())
    };
    vec![waits("armed", Insn::Monitor), waits("not-armed", Insn::Nop)]
}
