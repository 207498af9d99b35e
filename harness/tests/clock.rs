//! Cases on machines whose clock is counted in instructions, or that are watched
//! by a debugger: what no suite runs on.
//!
//! `SVM_QEMU=PATH cargo test -p harness --features qemu-tests --test clock`

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::catalogue;
use harness::exec::boot::Machine;
use harness::exec::{Booted, Executor, Ran, alone, cpu_argument, guest};
use harness::suites::migration::gdb::Stop;
use harness::suites::migration::travel::{Station, Trip, travel};
use svm_model::Feature;
use svm_model::arch::event;
use svm_model::arch::msr::TSC;
use svm_model::case::{Case, Cpu, Event, Insn, Step, world};
use svm_model::compare;
use svm_model::cpu::CpuSet;
use svm_model::outcome::{Obs, Outcome};
use svm_model::vmcb::{Field, exit};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);
/// The local APIC's page, where the count of its timer is read, too.
const APIC: u64 = 0xfee0_0000;

fn machine(qemu: PathBuf) -> Machine {
    let repo = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let guest = guest::build(repo).unwrap_or_else(|e| panic!("{e}"));
    Machine { qemu, accel: "tcg".into(), firmware: Vec::new(), guest, limit: LIMIT }
}

fn qemu() -> PathBuf {
    std::env::var_os("SVM_QEMU").expect("SVM_QEMU must name a QEMU").into()
}

/// The QEMU with one more option, as a program in a folder of its own.
fn counting(more: &str) -> (Machine, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("qemu");
    let options = more.replace("{}", &folder.path().display().to_string());
    let script = format!("#!/bin/sh\nexec '{}' \"$@\" -icount '{options}'\n", qemu().display());
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    (machine(program), folder)
}

fn case(id: &str, program: &[Insn], steps: &[Step]) -> Case {
    Case {
        id: id.into(),
        feature: Feature::Npt,
        cpu: Cpu::default(),
        program: program.to_vec(),
        steps: steps.to_vec(),
    }
}

fn run(machine: Machine, case: &Case) -> Outcome {
    run_all(machine, &[case]).remove(0)
}

fn run_all(machine: Machine, cases: &[&Case]) -> Vec<Outcome> {
    let mut ran: Vec<Option<Ran>> = vec![None; cases.len()];
    let done = Booted::new(machine).run(cases, &mut |n, what| {
        ran[n] = Some(what);
        Ok(())
    });
    done.unwrap_or_else(|e| panic!("{e}"));
    let outcome = |(ran, case): (Option<Ran>, &&Case)| match ran {
        Some(Ran::Outcome(outcome)) => outcome,
        other => panic!("{}: {other:x?}", case.id),
    };
    ran.into_iter().zip(cases).map(outcome).collect()
}

fn exit_code(obs: &Obs) -> Option<u64> {
    match obs {
        Obs::Exit(e) => e.vmcb.get(Field::EXITCODE),
        _ => None,
    }
}

/// An event that L1 injects leads L2 to code that writes the time down, and then
/// meets a fault in a block that has so many instructions behind it. L1 reads the time.
fn faulting(id: &str, fault: &Insn, steps: &[Step], behind: usize) -> Case {
    const TIME: u64 = world::DATA + 0x9000;
    const VECTOR: u64 = 0x80;
    const GATE: u64 = (world::L2_CODE & 0xffff)
        | (world::L2_CS as u64) << 16
        | 0xee << 40
        | (world::L2_CODE & 0xffff_0000) << 32;
    // RDTSC; SHL RDX, 32; OR RAX, RDX; MOV RBX, TIME; MOV [RBX], RAX.
    let mut now = vec![0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0, 0x48, 0xbb];
    now.extend(TIME.to_le_bytes());
    now.extend([0x48, 0x89, 0x03]);
    let program = [Insn::Raw(now), fault.clone(), Insn::Raw(vec![0x90; behind])];
    let run = [
        Step::Mem { pa: world::L2_IDT + VECTOR * 16, width: 8, value: GATE },
        Step::Vmcb(Field::EVENTINJ, event::V | event::SOFTWARE | VECTOR),
        Step::Vmrun(world::VMCB),
        Step::Peek { pa: TIME, width: 8 },
        Step::Rdmsr(TSC),
    ];
    case(id, &program, &[steps, &run].concat())
}

/// Cases that end with that exit code, with so many instructions behind the fault.
fn cases_that_fault(behind: usize) -> [(Case, u64); 3] {
    const PAGE: u64 = world::DATA + 0x5000;
    let intercept = |vector: u64| Step::Vmcb(Field::INTERCEPT_EXCEPTIONS, 1 << vector);
    let entry = |pa| Step::Mem { pa: pa + 5 * 8, width: 8, value: 0 };
    let load = Insn::Load(0, PAGE);
    // MOV RSP, 1 << 50; MOV RAX, [RSP].
    let mut stack = vec![0x48, 0xbc];
    stack.extend((1u64 << 50).to_le_bytes());
    stack.extend([0x48, 0x8b, 0x04, 0x24]);
    let own = [intercept(14), entry(world::l2pt::PT)];
    [
        (faulting("nested-fault", &load, &[entry(world::npt::PT)], behind), exit::NPF),
        (faulting("page-fault", &load, &own, behind), exit::EXCP + 14),
        (faulting("stack-fault", &Insn::Raw(stack), &[intercept(12)], behind), exit::EXCP + 12),
    ]
}

/// How many instructions, at one tick each, go by from L2's look at the time to L1's.
fn elapsed(machine: &Machine, (case, code): &(Case, u64)) -> u64 {
    let seen = run(machine.clone(), case);
    let [exited, Obs::Value(before), Obs::Value(after)] = seen.obs.as_slice() else {
        panic!("{}: {seen:x?}", case.id)
    };
    assert_eq!(exit_code(exited), Some(*code), "{}", case.id);
    after.wrapping_sub(*before)
}

#[test]
fn what_is_behind_a_fault_takes_no_time() {
    let (machine, _folder) = counting("shift=0,sleep=off");
    for (short, long) in cases_that_fault(1).iter().zip(&cases_that_fault(400)) {
        assert_eq!(elapsed(&machine, short), elapsed(&machine, long), "{}", long.0.id);
    }
}

#[test]
fn a_machine_with_faults_can_be_recorded() {
    let (machine, _folder) = counting("shift=0,sleep=off,rr=record,rrfile={}/replay");
    for (case, code) in cases_that_fault(400) {
        let seen = run(machine.clone(), &case);
        assert_eq!(seen.obs.first().and_then(exit_code), Some(code), "{}", case.id);
    }
}

#[test]
fn what_is_recorded_can_be_replayed() {
    // A physical interrupt takes L2 out before it does anything.
    let steps = [
        Step::L1(Insn::Clgi, 0),
        Step::Raise(Event::Intr(0x61)),
        Step::Vmcb(Field::INTERCEPT_MISC1, 1 << 31 | 1),
        Step::Vmcb(Field::RFLAGS, 0x202),
        Step::Vmrun(world::VMCB),
    ];
    let case = case("interrupted", &[Insn::Nop], &steps);
    let (recorder, folder) = counting("shift=0,sleep=off,rr=record,rrfile={}/replay");
    let recorded = run(recorder, &case);
    assert_eq!(recorded.obs.last().and_then(exit_code), Some(exit::INTR));
    let file = folder.path().join("replay");
    let options = format!("shift=0,sleep=off,rr=replay,rrfile={}", file.display());
    let (player, _folder) = counting(&options);
    assert_eq!(run(player, &case), recorded);
}

#[test]
fn vmload_of_a_device_can_read_the_clock() {
    let (machine, _folder) = counting("shift=0,sleep=off");
    let steps = [Step::L1(Insn::Vmload, APIC), Step::Vmrun(world::VMCB)];
    let seen = run(machine, &case("vmload-of-a-device", &[], &steps));
    assert_eq!(seen.obs.last().and_then(exit_code), Some(exit::VMMCALL));
}

#[test]
fn what_no_guest_may_do_it_may_not_do_with_a_counted_clock_either() {
    let (machine, _folder) = counting("shift=0,sleep=off");
    let mut entries = catalogue::all();
    entries.retain(|e| e.case.id.starts_with("aborts/"));
    let cases: Vec<&Case> = entries.iter().map(|e| &e.case).collect();
    for (entry, seen) in entries.iter().zip(run_all(machine, &cases)) {
        let (expected, _) = entry.written.as_ref().expect("all of them are written");
        let differences = compare(expected, &seen);
        assert!(differences.is_empty(), "{}: {differences:?}", entry.case.id);
    }
}

#[test]
fn a_debugger_can_watch_the_stack_of_a_guest() {
    let station = Station { machine: machine(qemu()), cpu: cpu_argument(CpuSet::NONE) };
    let steps = [Step::Vmrun(world::VMCB)];
    let taken = case("watched", &[Insn::Ud2], &steps);
    let mark = Stop::Write(world::L2_STACK - 8);
    let mut stayed = None;
    let moved = alone(&taken, CpuSet::NONE, |ram| {
        Ok(match travel(&station, &station, mark, ram)? {
            Trip::Through(ram, ended) => Some((ram, ended)),
            Trip::Stayed(why) => {
                stayed = Some(why);
                None
            }
        })
    });
    let moved = moved.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(stayed, None);
    let Some(Ran::Outcome(outcome)) = moved else { panic!("{moved:x?}") };
    let [Obs::Exit(e)] = outcome.obs.as_slice() else { panic!("{outcome:x?}") };
    let vectors: Vec<u8> = e.l2_log.iter().map(|event| event.vector).collect();
    assert_eq!(vectors, [6]);
}
