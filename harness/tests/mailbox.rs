//! What a QEMU or a guest that talks nonsense leads to, told by fake QEMUs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use harness::exec::boot::Machine;
use harness::exec::guest::Guest;
use harness::exec::{Booted, Crash, End, Executor, Ran};
use harness::{Error, Kind};
use svm_model::Feature;
use svm_model::case::{Case, Cpu, Step, world};
use svm_model::cpu::{CpuSet, Platform};
use svm_model::outcome::Outcome;
use svm_model::wire::{MAILBOX, VERSION, header, state};

/// What the guest's own exit makes QEMU end with.
const BY_GUEST: &str = "exit 33";

/// A shell script for QEMU: `ram` is the guest's memory, `put OFFSET BYTES`
/// writes into the mailbox (bytes in octal, as printf takes them).
fn executor(dir: &tempfile::TempDir, body: &str) -> Booted<Machine> {
    let qemu = dir.path().join("qemu");
    let script = format!(
        "#!/bin/sh\n\
         ram=$(echo \"$@\" | sed 's/.*mem-path=\\([^,]*\\),.*/\\1/')\n\
         put() {{ printf \"$2\" | dd of=$ram bs=1 seek=$(({MAILBOX} + $1)) conv=notrunc 2>/dev/null; }}\n\
         {body}\n"
    );
    fs::write(&qemu, script).unwrap();
    fs::set_permissions(&qemu, fs::Permissions::from_mode(0o755)).unwrap();
    let rom = dir.path().join("rom");
    let guest = Guest { segments: Vec::new(), rom, digest: String::new() };
    Booted::new(Machine {
        qemu,
        accel: "tcg".into(),
        firmware: Vec::new(),
        guest,
        limit: Duration::from_millis(300),
    })
}

fn probe(body: &str) -> Result<Platform, Error> {
    executor(&tempfile::tempdir().unwrap(), body).platform(CpuSet::NONE)
}

/// `put` of a state.
fn put_state(state: u32) -> String {
    format!("put {} '\\{state:03o}'", header::STATE)
}

fn harness_error(body: &str) -> String {
    let e = probe(body).unwrap_err();
    assert_eq!(e.kind(), Kind::Harness, "{e}");
    e.to_string()
}

#[test]
fn a_mailbox_of_another_make_or_version_is_an_error_of_the_harness() {
    let done = put_state(state::DONE);
    let magic = format!("{done}; put {} 'X'; {BY_GUEST}", header::MAGIC);
    assert!(harness_error(&magic).contains("overwritten"));
    let version = format!("{done}; put {} '\\{:03o}'; {BY_GUEST}", header::VERSION, VERSION + 1);
    assert!(harness_error(&version).contains("overwritten"));
    // The same without the damage is no error.
    assert!(probe(&format!("{done}; {BY_GUEST}")).is_ok());
}

#[test]
fn a_guest_that_does_not_understand_its_input_is_an_error_of_the_harness() {
    let text = harness_error(&format!("{}; {BY_GUEST}", put_state(state::BAD_INPUT)));
    assert!(text.contains("does not understand"), "{text}");
    let text = harness_error(&format!("{}; {BY_GUEST}", put_state(200)));
    assert!(text.contains("state 200"), "{text}");
}

#[test]
fn a_qemu_that_does_not_start_the_guest_says_why() {
    let e = probe("echo 'no such machine' >&2; exit 1").unwrap_err();
    let text = e.to_string();
    assert_eq!(e.kind(), Kind::Setup, "{text}");
    assert!(text.contains("does not come up") && text.contains("no such machine"), "{text}");
    assert!(harness_error("sleep 1000").contains("does not come up"));
}

#[test]
fn a_cpu_without_svm_is_the_users_to_mend() {
    let e = probe(&format!("{}; {BY_GUEST}", put_state(state::NO_SVM))).unwrap_err();
    assert_eq!(e.kind(), Kind::Usage, "{e}");
}

/// One case on a QEMU whose probe answers, and which then does `body`.
fn run_one(body: &str) -> Result<Ran, Error> {
    let dir = tempfile::tempdir().unwrap();
    let probed = dir.path().join("probed");
    let probed = probed.display();
    let done = put_state(state::DONE);
    let body = format!("if [ ! -e {probed} ]; then : >{probed}; {done}; {BY_GUEST}; fi\n{body}");
    let case = Case {
        id: "a/case".into(),
        feature: Feature::VmrunChecks,
        cpu: Cpu::default(),
        program: Vec::new(),
        steps: vec![Step::Vmrun(world::VMCB)],
    };
    let mut seen = None;
    executor(&dir, &body).run(&[&case], &mut |_, ran| {
        seen = Some(ran);
        Ok(())
    })?;
    Ok(seen.expect("the case has come to something"))
}

/// A case after which what the guest says makes no sense has overwritten the guest.
#[test]
fn claims_that_cannot_be_are_the_cases_end() {
    let lost = |body: &str| match run_one(body).unwrap() {
        Ran::Broken(End::Crashed(Crash::Talk(why)), _) => why,
        other => panic!("{other:?}"),
    };
    for (offset, what) in [(header::DONE, "more cases"), (header::OUTPUT_PART, "written more")] {
        let body =
            format!("put {offset} '\\377\\377\\377'; {}; {BY_GUEST}", put_state(state::DONE));
        assert!(lost(&body).contains(what));
    }
    // A case that is done, and of which nothing was written.
    let body = format!("put {} '\\001'; {}; {BY_GUEST}", header::DONE, put_state(state::DONE));
    assert!(lost(&body).contains("its observations"));
}

#[test]
fn how_qemu_ends_is_what_the_case_comes_to() {
    assert_eq!(run_one("kill -KILL $$").unwrap(), Ran::Broken(End::Killed(9), Outcome::default()));
    let crash = run_one("echo 'assertion failed' >&2; kill -ABRT $$").unwrap();
    assert!(
        matches!(&crash, Ran::Broken(End::Crashed(Crash::Qemu(why)), _) if why.contains("assertion failed")),
        "{crash:?}"
    );
    let shutdown = run_one("exit 0").unwrap();
    assert!(matches!(&shutdown, Ran::Broken(End::Shutdown, _)), "{shutdown:?}");
    let stuck = run_one("sleep 1000").unwrap();
    assert!(matches!(&stuck, Ran::Broken(End::TimedOut(_), _)), "{stuck:?}");
    let panicked = run_one(&format!("{}; {BY_GUEST}", put_state(state::PANIC))).unwrap();
    assert!(matches!(&panicked, Ran::Broken(End::Crashed(Crash::Guest { .. }), _)), "{panicked:?}");
}
