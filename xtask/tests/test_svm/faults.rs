//! What can go wrong while tests run, and what must not be lost by it.

use crate::fake::{World, json, signal, text, wait_for_end, wait_until};
use serde_json::Value;

fn by_test(document: &Value) -> Vec<(String, String, String)> {
    let field = |test: &Value, name: &str| test[name].as_str().unwrap_or_default().to_owned();
    let row = |t: &Value| (field(t, "test"), field(t, "verdict"), field(t, "why"));
    document["results"][0]["tests"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn each_fault_has_its_verdict_and_none_stops_the_others() {
    let tests = [
        ("bad", "fail", "broken at 0x1234"),
        ("brood", "timeout", "time was up in brood"),
        ("empty", "missing", "asserts nothing"),
        ("flood", "crash", "flooded the serial port in flood"),
        ("garbage", "pass", ""),
        ("good", "pass", ""),
        ("hangs", "timeout", "time was up in hangs"),
        ("killed", "crash", "QEMU killed by SIGKILL in killed"),
        ("segv", "crash", "QEMU killed by SIGSEGV in segv"),
        ("skipped", "skip", "not here"),
        ("stopped", "timeout", "time was up in stopped"),
        ("triple", "crash", "the guest shut down or triple-faulted in triple"),
        ("undefined", "crash", "../svm.c:1:2: runtime error: shift exponent 64 is too large"),
    ];
    let world = World::new(&tests.map(|t| t.0));
    let out = world.path("out.json");
    let output = world.run(&["--timeout", "2", "--json", out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let expected = tests.map(|(test, verdict, why)| (test.into(), verdict.into(), why.into()));
    assert_eq!(by_test(&json(&out)), expected);
    for pid in world.started("hangs").into_iter().chain(world.started("child")) {
        wait_for_end(pid);
    }
    let log = json(&out)["results"][0]["tests"][3]["log"].as_str().unwrap().to_owned();
    assert!(std::fs::metadata(log).unwrap().len() < 4 << 20, "the flood's log is bounded");
}

#[test]
fn a_verdict_is_measured_once_unless_it_is_nobodys_or_asked_for_afresh() {
    let world = World::new(&["good", "killed"]);
    for _ in 0..2 {
        assert_eq!(world.run(&[]).status.code(), Some(0));
    }
    assert_eq!((world.started("good").len(), world.started("killed").len()), (1, 2));
    world.run(&["--fresh", "--test", "good"]);
    assert_eq!(world.started("good").len(), 2);
    world.run(&["--repeat", "3", "--test", "good"]);
    assert_eq!(world.started("good").len(), 4);
    world.change_qemu("fine", "finer");
    world.run(&["--test", "good"]);
    assert_eq!(world.started("good").len(), 5);
}

#[test]
fn an_interrupt_ends_the_children_keeps_what_was_measured_and_exits_with_130() {
    let world = World::new(&["good", "hangs"]);
    assert_eq!(world.run(&["--test", "good"]).status.code(), Some(0));
    let child = world.start(&["--jobs", "1"]);
    let qemu = world.wait_for_start("hangs");
    signal("-INT", &child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(text(&output).contains("interrupted"), "{}", text(&output));
    wait_for_end(qemu);
    world.run(&["--test", "good"]);
    assert_eq!(world.started("good").len(), 1, "it was kept");
}

#[test]
fn after_kill_9_no_qemu_is_left_and_the_next_run_goes_on() {
    let world = World::new(&["good", "waits"]);
    let mut child = world.start(&["--jobs", "2"]);
    let qemu = world.wait_for_start("waits");
    let journal = world.path("cache/verdicts");
    let recorded = || {
        let dir = std::fs::read_dir(&journal).ok()?.next()?.ok()?.path();
        let text = std::fs::read_to_string(dir.join("journal.jsonl")).ok()?;
        text.contains("\"good\"").then_some(())
    };
    wait_until(recorded);
    signal("-KILL", &child);
    child.wait().unwrap();
    wait_for_end(qemu);
    std::fs::write(world.path("go"), "").unwrap();
    let output = world.run(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!((world.started("good").len(), world.started("waits").len()), (1, 2));
    assert!(text(&output).contains("1 measured now"), "{}", text(&output));
}

#[test]
fn of_two_runs_at_once_one_measures_and_the_other_waits_for_it() {
    let world = World::new(&["good", "waits"]);
    let first = world.start(&[]);
    world.wait_for_start("waits");
    let mut second = world.start(&[]);
    let mut said = std::io::BufReader::new(second.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("waiting for another run") {
        line.clear();
        assert_ne!(std::io::BufRead::read_line(&mut said, &mut line).unwrap(), 0, "it ended");
    }
    std::fs::write(world.path("go"), "").unwrap();
    let outputs = [first.wait_with_output().unwrap(), second.wait_with_output().unwrap()];
    assert!(outputs.iter().all(|o| o.status.code() == Some(0)));
    assert_eq!((world.started("good").len(), world.started("waits").len()), (1, 1));
    assert!(text(&outputs[1]).contains("0 measured now"), "{}", text(&outputs[1]));
}
