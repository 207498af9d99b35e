//! The guest on a real QEMU, and what becomes of it when things go wrong.
//!
//! `SVM_QEMU=PATH cargo test -p harness --features qemu-tests`

use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::catalogue;
use harness::exec::boot::Machine;
use harness::exec::guest;
use harness::exec::{Booted, Crash, End, Executor, Ran, Stuck};
use svm_model::Feature;
use svm_model::case::{Case, Cpu, Insn, Step, world};
use svm_model::outcome::{Obs, Outcome};
use svm_model::vmcb::{Field, exit};

fn executor(limit: Duration) -> Booted<Machine> {
    Booted::new(machine(limit))
}

fn machine(limit: Duration) -> Machine {
    let qemu = std::env::var_os("SVM_QEMU").expect("SVM_QEMU must name a QEMU");
    let repo = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let guest = guest::build(repo).unwrap_or_else(|e| panic!("{e}"));
    let firmware = Vec::new();
    Machine { qemu: PathBuf::from(qemu), accel: "tcg".into(), firmware, guest, limit }
}

fn case(id: &str, program: &[Insn], steps: &[Step]) -> Case {
    Case {
        id: id.into(),
        feature: Feature::VmrunChecks,
        cpu: Cpu::default(),
        program: program.to_vec(),
        steps: steps.to_vec(),
    }
}

fn good() -> Case {
    case("good", &[], &[Step::Vmrun(world::VMCB)])
}

fn run(executor: &mut Booted<Machine>, cases: &[Case]) -> Vec<Ran> {
    let cases: Vec<&Case> = cases.iter().collect();
    let mut ran = vec![None; cases.len()];
    let done = executor.run(&cases, &mut |n, what| {
        assert!(ran[n].replace(what).is_none(), "case {n} was run twice");
        Ok(())
    });
    done.unwrap_or_else(|e| panic!("{e}"));
    ran.into_iter().map(|r| r.expect("every case has come to something")).collect()
}

/// Between two good cases, `bad`; what became of it.
fn between_good_ones(bad: Case) -> Ran {
    let mut executor = executor(Duration::from_millis(500));
    let mut ran = run(&mut executor, &[good(), bad, good()]);
    assert!(is_vmmcall(&ran[0]) && is_vmmcall(&ran[2]), "{ran:x?}");
    ran.swap_remove(1)
}

fn is_vmmcall(ran: &Ran) -> bool {
    matches!(ran, Ran::Outcome(Outcome { obs }) if matches!(obs.as_slice(),
        [Obs::Exit(e)] if e.vmcb.get(Field::EXITCODE) == Some(exit::VMMCALL)))
}

#[test]
fn a_case_that_loops_is_a_timeout_and_the_next_one_runs() {
    let forever = case("loop", &[Insn::Jump(world::L2_CODE)], &[Step::Vmrun(world::VMCB)]);
    let ran = between_good_ones(forever);
    assert!(matches!(&ran, Ran::Broken(End::TimedOut(Stuck::Runaway), _)), "{ran:?}");
}

#[test]
fn a_case_that_halts_for_good_is_a_timeout_and_the_next_one_runs() {
    let halted = case("halt", &[Insn::Hlt], &[Step::Vmrun(world::VMCB)]);
    let ran = between_good_ones(halted);
    assert!(matches!(&ran, Ran::Broken(End::TimedOut(Stuck::Halted), _)), "{ran:?}");
}

#[test]
fn a_shutdown_is_a_crash_that_keeps_what_was_seen_before_it() {
    // Page tables that map nothing.
    let steps = [Step::Vmrun(world::VMCB), Step::WriteCr(3, world::DATA)];
    let ran = between_good_ones(case("shutdown", &[], &steps));
    let Ran::Broken(End::Shutdown, seen) = ran else { panic!("{ran:?}") };
    assert_eq!(seen.obs.len(), 1);
}

#[test]
fn a_qemu_killed_from_outside_costs_one_case_and_says_nothing_of_it() {
    let forever = case("loop", &[Insn::Jump(world::L2_CODE)], &[Step::Vmrun(world::VMCB)]);
    // A folder of our own on its command line tells this test's QEMU from others.
    let mark = tempfile::tempdir().unwrap();
    let mut executor = Booted::new(Machine {
        firmware: vec![mark.path().to_owned()],
        ..machine(Duration::from_secs(60))
    });
    executor.platform(Default::default()).unwrap_or_else(|e| panic!("{e}"));
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| kill_qemu(mark.path()));
        run(&mut executor, &[forever, good()])
    });
    assert_eq!(ran[0], Ran::Broken(End::Killed(9), Outcome::default()));
    assert!(is_vmmcall(&ran[1]));
}

/// Kills the QEMU that has `mark` on its command line, as soon as there is one.
fn kill_qemu(mark: &Path) {
    loop {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&line).contains(&*mark.to_string_lossy()) {
                let pid = rustix::process::Pid::from_raw(pid).unwrap();
                rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
                return;
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_case_that_overwrites_the_mailbox_is_told_from_the_others() {
    let store = [Insn::Store(svm_model::wire::MAILBOX)];
    let mut executor = executor(Duration::from_secs(2));
    let vandal = case("vandal", &store, &[Step::Vmrun(world::VMCB)]);
    let quiet = case("quiet", &[Insn::Nop], &[Step::Vmrun(world::VMCB)]);
    let mut seen = Vec::new();
    let cases = [&quiet, &vandal, &quiet];
    executor
        .run(&cases, &mut |n, ran| {
            seen.push((n, ran));
            Ok(())
        })
        .unwrap();
    seen.sort_by_key(|(n, _)| *n);
    let ran: Vec<&Ran> = seen.iter().map(|(_, ran)| ran).collect();
    assert!(
        matches!(
            ran[..],
            [Ran::Outcome(_), Ran::Broken(End::Crashed(Crash::Talk(_)), _), Ran::Outcome(_)]
        ),
        "{ran:?}"
    );
}

#[test]
fn cases_leave_nothing_behind_for_the_next_one() {
    let mut cases: Vec<Case> = catalogue::all().into_iter().map(|e| e.case).collect();
    // What time it is differs by itself.
    cases.retain(|c| !c.program.contains(&Insn::Rdtsc) && !c.program.contains(&Insn::Rdtscp));
    let mut executor = executor(Duration::from_secs(2));
    let forwards = run(&mut executor, &cases);
    let reversed: Vec<Case> = cases.iter().rev().cloned().collect();
    let mut backwards = run(&mut executor, &reversed);
    backwards.reverse();
    for ((case, a), b) in cases.iter().zip(forwards).zip(backwards) {
        assert_eq!(a, b, "{} depends on what ran before it", case.id);
    }
}
