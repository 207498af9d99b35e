//! QEMU's C code in process, and what becomes of it when things go wrong.
//!
//! `cargo test -p harness --features qemu-tests --test executor_c`, with the two folders
//! that `cargo xtask build patched --print-c` prints in `SVM_QEMU_SRC` and `SVM_QEMU_BUILD`, and the
//! same QEMU in `SVM_QEMU`.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use harness::Env;
use harness::exec::boot::Machine;
use harness::exec::c::{self, InProcess};
use harness::exec::guest;
use harness::exec::{Booted, End, Executor, LIMIT, Ran, Stuck};
use harness::host::cache::Cache;
use harness::host::console::{Console, Verbosity};
use svm_model::Feature;
use svm_model::case::{Case, Cpu, Insn, Step, world};
use svm_model::cpu::{CpuFeature, CpuSet};
use svm_model::outcome::{Exit, Obs, Outcome};
use svm_model::snapshot::HostReg;
use svm_model::vmcb::{Field, exit};

fn path(variable: &str) -> PathBuf {
    std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set")).into()
}

fn repo() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("harness lies in the checkout")
}

static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a folder for a cache that nothing is put in");
    let env = Env {
        repo: repo().into(),
        cache: Cache::open(Some(dir.path())).unwrap(),
        install: false,
        console: Console::new(Verbosity::Quiet),
    };
    c::build(&env, &path("SVM_QEMU_SRC"), &path("SVM_QEMU_BUILD")).unwrap_or_else(|e| panic!("{e}"))
});

fn executor() -> Booted<InProcess> {
    Booted::new(InProcess { program: PROGRAM.clone(), limit: LIMIT })
}

fn run(cases: &[Case]) -> Vec<Ran> {
    let mut out: Vec<Option<Ran>> = cases.iter().map(|_| None).collect();
    let cases: Vec<&Case> = cases.iter().collect();
    let mut emit = |n: usize, ran| {
        out[n] = Some(ran);
        Ok(())
    };
    executor().run(&cases, &mut emit).unwrap_or_else(|e| panic!("{e}"));
    out.into_iter().map(|ran| ran.expect("each case is run")).collect()
}

fn case(program: &[Insn], steps: &[Step]) -> Case {
    Case {
        id: "case".into(),
        feature: Feature::VmrunChecks,
        cpu: Cpu::default(),
        program: program.to_vec(),
        steps: steps.to_vec(),
    }
}

fn vmrun(program: &[Insn]) -> Case {
    case(program, &[Step::Vmrun(world::VMCB)])
}

fn only_exit(ran: &Ran) -> &Exit {
    match ran {
        Ran::Outcome(outcome) => match outcome.obs.as_slice() {
            [Obs::Exit(exit)] => exit,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_program_runs_to_its_vmmcall() {
    let ran = run(&[vmrun(&[Insn::Mov(2, 7), Insn::Nop]), vmrun(&[])]);
    let exit = only_exit(&ran[0]);
    assert_eq!(exit.vmcb.get(Field::EXITCODE), Some(exit::VMMCALL));
    assert_eq!(exit.vmcb.get(Field::RIP), Some(world::L2_CODE + 11));
    assert_eq!(exit.host.get(HostReg::L2Rdx), Some(7));
    assert_eq!(exit.host.get(HostReg::Gif), Some(0));
    assert_eq!(only_exit(&ran[1]).vmcb.get(Field::RIP), Some(world::L2_CODE));
}

#[test]
fn nothing_of_a_case_is_left_for_the_next() {
    let spoil = case(
        &[Insn::Store(world::VMCB + 0x400)],
        &[
            Step::Mem { pa: world::NPT, width: 8, value: 0 },
            Step::WriteCr(8, 5),
            Step::Rflags(0x302),
            Step::Vmrun(world::VMCB),
        ],
    );
    let ran = run(&[vmrun(&[]), spoil, vmrun(&[])]);
    assert_eq!(ran[0], ran[2]);
    assert_ne!(ran[0], ran[1]);
}

#[test]
fn what_the_shim_lacks_is_open() {
    let ran = run(&[vmrun(&[Insn::In { size: 1, port: 0x80 }]), vmrun(&[])]);
    assert_eq!(ran[0], Ran::Open(Outcome::default()));
    only_exit(&ran[1]);
}

#[test]
fn a_case_that_halts_or_loops_costs_itself_alone() {
    let here = Insn::Jump(world::L2_CODE);
    let ran = run(&[vmrun(&[Insn::Hlt]), vmrun(&[]), vmrun(&[here]), vmrun(&[])]);
    assert!(matches!(ran[0], Ran::Broken(End::TimedOut(Stuck::Halted), _)), "{:?}", ran[0]);
    assert!(matches!(ran[2], Ran::Broken(End::TimedOut(Stuck::Runaway), _)), "{:?}", ran[2]);
    only_exit(&ran[1]);
    only_exit(&ran[3]);
}

#[test]
fn the_processor_is_that_of_the_same_qemu() {
    let guest = guest::build(repo()).unwrap_or_else(|e| panic!("{e}"));
    let (qemu, firmware) = (path("SVM_QEMU"), Vec::new());
    let machine = Machine { qemu, accel: "tcg".into(), firmware, guest, limit: LIMIT };
    let whole = Booted::new(machine).platform(CpuSet::NONE).unwrap();
    assert_eq!(executor().platform(CpuSet::NONE).unwrap(), whole);
}

#[test]
fn a_field_of_any_width_is_written() {
    let (field, value) = (Field::INSN_BYTES_8, 0x12_3456_789a_bcde);
    assert_eq!(field.width(), 7);
    // The word that it ends.
    let pa = world::VMCB + u64::from(field.offset()) - 1;
    let steps = [Step::Vmcb(field, value), Step::Peek { pa, width: 8 }];
    let ran = run(&[case(&[], &steps)]);
    let Ran::Outcome(outcome) = &ran[0] else { panic!("{ran:?}") };
    assert_eq!(outcome.obs.last(), Some(&Obs::Value(value << 8)), "{outcome:?}");
}

#[test]
fn features_come_and_go() {
    let mut executor = executor();
    let vgif = CpuSet::of(&[CpuFeature::Vgif]);
    let all = executor.platform(CpuSet::NONE).unwrap().features;
    let less = executor.platform(vgif).unwrap().features;
    assert!(all.includes(CpuSet::of(&[CpuFeature::Svm, CpuFeature::Npt, CpuFeature::Vgif])));
    assert_eq!(all.minus(less), vgif);
}

#[test]
fn a_program_that_dies_is_a_crash() {
    let mut executor = Booted::new(InProcess { program: "false".into(), limit: LIMIT });
    assert!(executor.platform(CpuSet::NONE).unwrap_err().to_string().contains("does not come up"));
}

#[test]
fn a_locked_access_reads_and_writes() {
    let at = world::DATA + 8;
    let steps = [
        Step::Mem { pa: at, width: 8, value: 0x1234 },
        Step::Vmrun(world::VMCB),
        Step::Peek { pa: at, width: 8 },
    ];
    for (program, left) in
        [(vec![Insn::LockNot(at)], !0x1234), (vec![Insn::Mov(0, 7), Insn::Xchg(at)], 7)]
    {
        let ran = run(&[case(&program, &steps)]);
        let Ran::Outcome(outcome) = &ran[0] else { panic!("{ran:?}") };
        assert_eq!(outcome.obs.last(), Some(&Obs::Value(left)), "{program:?}");
    }
}
