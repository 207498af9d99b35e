//! Flags, files and exit codes.

use std::process::Command;

use crate::fake::{World, json, text};

#[test]
fn a_tree_that_is_none_or_not_built_is_a_usage_error_with_the_remedy() {
    let world = World::new(&["good"]);
    let tree = |dir: &str| {
        let output = world.run(&["--kvm-unit-tests", world.path(dir).to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        // Wherever its lines end.
        text(&output).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(tree("nowhere").contains("No such file"));
    assert!(tree("repo").contains("no x86/unittests.cfg"));
    std::fs::remove_file(world.path("kut/x86/svm.flat")).unwrap();
    assert!(tree("kut").contains("./configure && make"));
}

#[test]
fn without_a_tree_the_report_has_a_row_that_says_so_and_require_makes_it_an_error() {
    let world = World::new(&["good"]);
    let run = |args: &[&str]| world.command(args).env_remove("KVM_UNIT_TESTS").output().unwrap();
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(5), "{}", text(&output));
    assert!(
        text(&output).contains("NOT RUN          kvm-unit-tests: no tree"),
        "{}",
        text(&output)
    );
    let output = run(&["--require", "kvm-unit-tests"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    let output = run(&["--require", "xen-test-framework"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
}

#[test]
fn a_filter_that_lets_nothing_through_and_a_file_that_is_no_qemu_are_errors() {
    let world = World::new(&["good"]);
    let output = world.run(&["--test", "no_such_test"]);
    assert_eq!(output.status.code(), Some(5), "{}", text(&output));
    let config = world.path("kut/config.mak");
    let output = world.run(&["--only", "patched", "--qemu", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    world.change_qemu("isa-debug-exit;", "other-device;");
    let output = world.run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("has no isa-debug-exit device"), "{}", text(&output));
}

const SPOILT: &str =
    "echo \"FAIL: spoilt\"; echo \"SUMMARY: 1 tests, 1 unexpected failures\"; exit 3";

/// As a user records: without a filter on tests.
fn whole(world: &World, args: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("test-svm").arg("--cache").arg(world.path("cache")).args(args);
    command.arg("--stock-qemu").arg(world.path("qemu")).args(["--only", "stock"]);
    command.args(["--suite", "kvm-unit-tests"]);
    command.env("CARGO_MANIFEST_DIR", world.path("repo"));
    command.env("KVM_UNIT_TESTS", world.path("kut"));
    command.output().unwrap()
}

#[test]
fn what_is_recorded_is_what_later_runs_are_held_to() {
    let world = World::new(&["good", "bad"]);
    let output = world.run(&["--record"]);
    assert_eq!(output.status.code(), Some(2), "a part cannot be recorded");
    let output = whole(&world, &["--record"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let file = world.path("repo/results/stock-1.2.3/kvm-unit-tests.json");
    let recorded = std::fs::read_to_string(&file).unwrap();
    assert!(!recorded.contains(world.path("").to_str().unwrap()), "no path of this machine");
    assert_eq!(json(&file)["tests"].as_array().unwrap().len(), 3);

    let output = whole(&world, &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output).contains("all is as recorded"), "{}", text(&output));
    let (good, spoilt) = ("echo \"PASS: fine\"; echo \"SUMMARY: 1 tests\"; exit 1", SPOILT);
    world.change_qemu(good, spoilt);
    let out = world.path("out.json");
    let output = world.run(&["--json", out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("svm/good  pass -> fail 0/1"), "{}", text(&output));
    assert_eq!(json(&out)["exit_code"], 1);
    assert_eq!(json(&out)["comparisons"][0]["flips"][0]["change"], "regressed");
}

#[test]
fn a_side_that_is_better_than_the_other_is_told_test_by_test() {
    let world = World::new(&["good", "bad"]);
    std::fs::copy(world.path("qemu"), world.path("stock")).unwrap();
    world.change_qemu(
        "echo \"FAIL: broken at 0x1234\"; echo \"SUMMARY: 2 tests, 1 unexpected failures\"; exit 3",
        "echo \"SUMMARY: 1 tests\"; exit 1",
    );
    let junit = world.path("out.xml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("test-svm").arg("--cache").arg(world.path("cache")).args(["--test", "!whole"]);
    command.arg("--stock-qemu").arg(world.path("stock")).arg("--qemu").arg(world.path("qemu"));
    command.arg("--junit").arg(&junit).args(["--suite", "kvm-unit-tests"]);
    command.env("CARGO_MANIFEST_DIR", world.path("repo"));
    command.env("KVM_UNIT_TESTS", world.path("kut"));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let said = text(&output);
    assert!(said.contains("no regression: the series fixes 1 test and breaks none"), "{said}");
    assert!(!said.contains("svm/bad"), "{said}");
    let said = text(&command.arg("-v").output().unwrap());
    assert!(said.contains("1 fixed\n    svm/bad  fail 1/2 -> pass"), "{said}");
    // A command goes on behind a backslash, where it is long.
    let said = said.replace(" \\\n", "").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("--unit svm --test bad --fresh"), "{said}");
    let xml = std::fs::read_to_string(junit).unwrap();
    assert!(
        xml.contains("tests=\"2\"") && xml.contains("<skipped message=\"fail: broken"),
        "{xml}"
    );
}

#[test]
fn a_pass_that_the_known_failures_deny_fails_the_run_everywhere() {
    let world = World::new(&["good", "bad"]);
    let known = "[[known]]\nsuite = \"kvm-unit-tests\"\nconfigs = [\"*\"]\ntests = [\"good\"]\n\
                 builds = [\"*\"]\nverdicts = [\"fail\"]\nreason = \"it cannot\"\nlink = \"x\"\nsince = \"v1\"\n";
    let output = whole(&world, &["--record"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    std::fs::write(world.path("repo/results/known-failures.toml"), known).unwrap();
    let (out, junit) = (world.path("out.json"), world.path("out.xml"));
    let flags = ["--json", out.to_str().unwrap(), "--junit", junit.to_str().unwrap()];
    let output = whole(&world, &flags);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let said = text(&output);
    assert!(
        said.contains("UNEXPECTED PASS: svm/good on stock-1.2.3\n  known to fail: it cannot"),
        "{said}"
    );
    assert!(said.contains("\n1 UNEXPECTED PASS ("), "{said}");
    assert!(!said.contains("no regression"), "{said}");
    let json = json(&out);
    assert_eq!(
        (&json["exit_code"], &json["unexpected_passes"][0]["test"]),
        (&1.into(), &"good".into())
    );
    let xml = std::fs::read_to_string(junit).unwrap();
    let failure = "<failure message=\"unexpected pass, known to fail: it cannot\"";
    assert!(xml.contains(failure) && xml.contains("failures=\"1\""), "{xml}");

    // A flaky one may pass.
    let flaky = format!("{known}flaky = true\n");
    std::fs::write(world.path("repo/results/known-failures.toml"), flaky).unwrap();
    let output = whole(&world, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn report_prints_what_is_recorded_or_says_that_nothing_is() {
    let world = World::new(&["good", "bad", "hangs"]);
    let report = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("report").arg("--cache").arg(world.path("cache")).args(args);
        command.env("CARGO_MANIFEST_DIR", world.path("repo")).output().unwrap()
    };
    assert_eq!(report(&[]).status.code(), Some(5));
    assert_eq!(whole(&world, &["--record", "--timeout", "1"]).status.code(), Some(0));
    let output = report(&[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output).contains("stock-1.2.3"), "{}", text(&output));
    assert_eq!(report(&["--build", "stock-0.9"]).status.code(), Some(5));
}
