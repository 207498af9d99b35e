//! Trees, journals and binaries that mean ill, or are none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fake::{World, json, text};

fn folder(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../harness/tests/hostile").join(name);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn pipe(path: &Path) {
    let _ = fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn every_hostile_tree_has_its_exit_code_and_nothing_of_it_reaches_the_terminal() {
    for path in folder("trees") {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let code = name.split("exit-").nth(1).unwrap().trim_end_matches(".cfg");
        let world = World::new(&["good"]);
        fs::copy(&path, world.path("kut/x86/unittests.cfg")).unwrap();
        let output =
            world.command(&["--timeout", "5"]).current_dir(world.path("")).output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code().unwrap().to_string(), code, "{name}: {said}");
        assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{name}: {said:?}");
    }
}

#[test]
fn what_a_tree_would_write_or_read_is_left_out_and_named() {
    let world = World::new(&["good"]);
    let cfg = folder("trees").into_iter().find(|p| p.ends_with("writes-files.exit-0.cfg"));
    fs::copy(cfg.unwrap(), world.path("kut/x86/unittests.cfg")).unwrap();
    let out = world.path("out.json");
    let output = world.run(&["--json", out.to_str().unwrap()]);
    // Wherever its lines end.
    let said = text(&output).split_whitespace().collect::<Vec<_>>().join(" ");
    for what in ["-D owned.log", "-monitor unix:owned.sock", "-device loader", "dumpdtb=owned.dtb"]
    {
        assert!(said.contains(what), "{said}");
    }
    assert!(said.contains("warning: kvm-unit-tests: [svm] runs without"), "{said}");
    let log = json(&out)["results"][0]["tests"][0]["log"].as_str().unwrap().to_owned();
    let command = fs::read_to_string(log).unwrap().lines().next().unwrap().to_owned();
    assert!(command.contains("-cpu max,+svm") && !command.contains("owned"), "{command}");
    assert!(!command.contains("passwd"), "{command}");
}

#[test]
fn a_tree_of_200_000_units_and_a_pipe_in_it_are_refused_at_once() {
    let world = World::new(&["good"]);
    let many: String = (0..200_000).map(|n| format!("[u{n}]\nfile = svm.flat\n")).collect();
    let cfg = world.path("kut/x86/unittests.cfg");
    let good = fs::read(&cfg).unwrap();
    fs::write(&cfg, many).unwrap();
    let output = world.run(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("too many units"), "{}", text(&output));
    fs::write(&cfg, good).unwrap();
    pipe(&world.path("kut/x86/svm_tests.c"));
    let output = world.run(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("svm_tests.c: it is no regular file"), "{}", text(&output));
}

#[test]
fn a_binary_that_is_a_pipe_or_garbage_is_a_usage_error() {
    let world = World::new(&["good"]);
    let qemu = world.path("qemu");
    pipe(&qemu);
    let output = world.run(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    fs::remove_file(&qemu).unwrap();
    fs::write(&qemu, b"\x7fELF\0\0").unwrap();
    let output = world.run(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
}

#[test]
fn a_damaged_journal_costs_a_measurement_and_no_more() {
    for path in folder("journals") {
        let world = World::new(&["good", "bad"]);
        assert_eq!(world.run(&[]).status.code(), Some(0));
        let verdicts = fs::read_dir(world.path("cache/verdicts")).unwrap().next().unwrap();
        let journal = verdicts.unwrap().path().join("journal.jsonl");
        let mut lines = fs::read(&journal).unwrap();
        lines.extend(fs::read(&path).unwrap());
        fs::write(&journal, lines).unwrap();
        let output = world.run(&[]);
        assert_eq!(output.status.code(), Some(0), "{}: {}", path.display(), text(&output));
        assert_eq!(world.started("good").len(), 1, "{}", path.display());
    }
}

/// A patched QEMU with its record beside it, in a folder of its own.
fn built(world: &World) -> PathBuf {
    let folder = world.path("built");
    fs::create_dir(&folder).unwrap();
    fs::copy(world.path("qemu"), folder.join("qemu-system-x86_64")).unwrap();
    let record = r#"{"id": "0123", "qemu_version": "1.2.3", "base": "45", "series_hash": "6789abcd",
        "patches": ["0001-x.patch"], "flavour": "release", "compiler": "cc 1.2"}"#;
    fs::write(folder.join("build.json"), record).unwrap();
    folder.join("qemu-system-x86_64")
}

fn record(world: &World, qemu: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("test-svm").arg("--cache").arg(world.path("cache")).arg("--record");
    command.args(["--suite", "kvm-unit-tests", "--only", "patched", "--qemu"]).arg(qemu);
    command.env("CARGO_MANIFEST_DIR", world.path("repo"));
    let output = command.env("KVM_UNIT_TESTS", world.path("kut")).output().unwrap();
    (output.status.code(), text(&output))
}

#[test]
fn what_is_recorded_through_a_link_names_its_series_and_what_has_no_name_is_refused() {
    let world = World::new(&["good"]);
    let link = world.path("link");
    std::os::unix::fs::symlink(built(&world), &link).unwrap();
    let (code, said) = record(&world, &link);
    assert_eq!(code, Some(0), "{said}");
    let file = world.path("repo/results/patched-1.2.3/kvm-unit-tests.json");
    let recorded = json(&file);
    assert_eq!(recorded["build"]["series"]["hash"], "6789abcd");
    assert_eq!(recorded["build"]["compiler"], "cc 1.2");
    let (code, said) = record(&world, &world.path("qemu"));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("nobody knows which series it is built of"), "{said}");
    assert_eq!(json(&file), recorded, "the old record stays");
}
