//! A handful of cases whose outcome anyone who knows SVM can check by eye.

use svm_model::case::{Case, Cpu, Insn, Step, world};
use svm_model::cpu::{CpuFeature, CpuSet};
use svm_model::outcome::Obs;
use svm_model::snapshot::HostReg;
use svm_model::vmcb::{Field, exit};
use svm_model::{Feature, Platform, model};

const STOCK: Platform = Platform {
    features: CpuSet::of(&[
        CpuFeature::Svm,
        CpuFeature::Npt,
        CpuFeature::Vgif,
        CpuFeature::AddrChk,
        CpuFeature::Nx,
    ]),
    phys_bits: 40,
    asids: 16,
};

fn case(program: &[Insn], steps: &[Step]) -> Case {
    Case {
        id: "smoke".into(),
        feature: Feature::Intercepts,
        cpu: Cpu::default(),
        program: program.into(),
        steps: steps.into(),
    }
}

fn last_exit(case: &Case) -> svm_model::outcome::Exit {
    match model::run(case, &STOCK).obs.pop() {
        Some(Obs::Exit(exit)) => *exit,
        other => panic!("expected an exit, got {other:?}"),
    }
}

#[test]
fn an_empty_program_exits_at_its_vmmcall() {
    let seen = last_exit(&case(&[], &[Step::Vmrun(world::VMCB)]));
    assert_eq!(seen.vmcb.get(Field::EXITCODE), Some(exit::VMMCALL));
    assert_eq!(seen.vmcb.get(Field::RIP), Some(world::L2_CODE));
    assert_eq!(seen.host.get(HostReg::Gif), Some(0));
    assert_eq!(seen.host.get(HostReg::Dr7), Some(0x400));
}

#[test]
fn asid_zero_is_refused() {
    let seen = last_exit(&case(&[], &[Step::Vmcb(Field::GUEST_ASID, 0), Step::Vmrun(world::VMCB)]));
    assert_eq!(seen.vmcb.get(Field::EXITCODE), Some(exit::INVALID));
}

#[test]
fn an_undefined_instruction_reaches_its_stub() {
    let seen = last_exit(&case(&[Insn::Ud2], &[Step::Vmrun(world::VMCB)]));
    assert_eq!(seen.vmcb.get(Field::RIP), Some(world::L2_STUB_EXIT));
    assert_eq!((seen.l2_log[0].vector, seen.l2_log[0].rip), (6, world::L2_CODE));
}

#[test]
fn a_nested_page_fault_tells_address_and_access() {
    let steps = [
        Step::Mem { pa: world::npt::PT + 8, width: 8, value: (world::DATA + 0x1000) | 0x65 },
        Step::Vmrun(world::VMCB),
    ];
    let seen = last_exit(&case(&[Insn::Store(world::DATA + 0x1008)], &steps));
    assert_eq!(seen.vmcb.get(Field::EXITCODE), Some(exit::NPF));
    assert_eq!(seen.vmcb.get(Field::EXITINFO1), Some(0x1_0000_0007));
    assert_eq!(seen.vmcb.get(Field::EXITINFO2), Some(world::DATA + 0x1008));
    assert_eq!(seen.vmcb.get(Field::RIP), Some(world::L2_CODE + 10));
}

#[test]
fn an_injected_exception_is_delivered_first() {
    let steps = [Step::Vmcb(Field::EVENTINJ, 0x8000_0b0d | 0x1234 << 32), Step::Vmrun(world::VMCB)];
    let seen = last_exit(&case(&[Insn::Ud2], &steps));
    assert_eq!((seen.l2_log[0].vector, seen.l2_log[0].error), (13, 0x1234));
    assert_eq!(seen.vmcb.get(Field::EVENTINJ), Some(0));
}

#[test]
fn whether_a_page_that_was_remapped_is_seen_without_a_flush_is_open() {
    let remaps = [
        Insn::Load(2, world::DATA),
        Insn::Mov(0, (world::DATA + 0x2000) | 0x67),
        Insn::Store(world::l2pt::PT),
        Insn::Load(2, world::DATA),
    ];
    // Another entry has changed too, so that each access walks.
    let other = Step::Mem { pa: world::l2pt::PT + 8, width: 8, value: world::DATA | 0x67 };
    let steps = [other, Step::Vmrun(world::VMCB)];
    assert_eq!(model::run(&case(&remaps, &steps), &STOCK).obs, [Obs::Open]);
    let seen = last_exit(&case(&remaps[..3], &steps));
    assert_eq!(seen.vmcb.get(Field::EXITCODE), Some(exit::VMMCALL));
}

#[test]
fn what_breakpoints_watch_of_a_stub_is_open() {
    // The stub of #UD pushes three times below its frame, and reads that.
    let frame = world::L2_STACK - 0x28;
    let seen = |at, dr7| {
        let steps = [
            Step::WriteDr(0, at),
            Step::Vmcb(Field::DR7, dr7),
            Step::Vmcb(Field::INTERCEPT_EXCEPTIONS, 2),
            Step::Vmrun(world::VMCB),
        ];
        model::run(&case(&[Insn::Ud2], &steps), &STOCK).obs
    };
    let (execution, write) = (0x401, 0x9_0401);
    for (at, dr7) in [
        (frame - 8, write),
        (frame - 24, write),
        (world::L2_LOG, write),
        (world::L2_STUBS + 6 * 32 + 5, execution),
        (world::L2_STUB_EXIT + 0x110, execution),
    ] {
        assert_eq!(seen(at, dr7), [Obs::Open], "{at:#x}");
    }
    for (at, dr7) in [(frame - 32, write), (world::L2_STUB_EXIT + 8, execution)] {
        assert!(matches!(seen(at, dr7)[..], [Obs::Exit(_)]), "{at:#x}");
    }
}

#[test]
fn what_is_beyond_the_limit_of_a_code_segment_is_open() {
    let seen = |limit, rip| {
        let steps = [
            Step::Vmcb(Field::CS_ATTRIB, 0xc9b),
            Step::Vmcb(Field::CS_LIMIT, limit),
            Step::Vmcb(Field::RIP, rip),
            Step::Vmrun(world::VMCB),
        ];
        model::run(&case(&[], &steps), &STOCK).obs
    };
    let (rip, all) = (world::L2_CODE, 0xffff_ffff);
    assert!(matches!(seen(all, rip)[..], [Obs::Exit(_)]));
    assert!(matches!(seen(rip, rip)[..], [Obs::Exit(_)]));
    assert_eq!(seen(rip - 1, rip), [Obs::Open]);
    assert_eq!(seen(all, 1 << 32 | rip), [Obs::Open]);
}

#[test]
fn what_an_idt_at_no_canonical_address_leads_to_is_open() {
    let seen = |base| {
        let steps = [
            Step::Vmcb(Field::IDTR_BASE, base),
            Step::Vmcb(Field::EVENTINJ, 0x8000_0300),
            Step::Vmcb(Field::INTERCEPT_EXCEPTIONS, 1 << 13),
            Step::Vmrun(world::VMCB),
        ];
        let la57 = Platform { features: STOCK.features.with(CpuFeature::La57), ..STOCK };
        model::run(&case(&[], &steps), &la57).obs
    };
    assert!(matches!(seen(world::L2_IDT)[..], [Obs::Exit(_)]));
    assert_eq!(seen(1 << 47 | world::L2_IDT), [Obs::Open]);
}
