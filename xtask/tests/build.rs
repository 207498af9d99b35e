//! `cargo xtask build` as a process: what it prints, and how it ends when it is
//! stopped or killed.

#[path = "../../harness/tests/support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use support::{Scene, count, put};

fn xtask(scene: &Scene, args: &[&str]) -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_xtask"));
    c.arg("--cache").arg(scene.cache()).arg("--no-install").args(args);
    c.stdin(Stdio::null());
    c
}

fn build(scene: &Scene, args: &[&str]) -> Command {
    let mut c = xtask(scene, &["build", "stock", "--qemu-src"]);
    c.arg(scene.qemu()).args(args);
    c
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn failed(out: &Output, code: i32) -> String {
    assert_eq!(out.status.code(), Some(code), "{}", text(&out.stderr));
    assert_eq!(text(&out.stdout), "");
    text(&out.stderr)
}

#[test]
fn print_path_prints_one_path_alone_on_stdout() {
    let scene = Scene::new();
    for _ in 0..2 {
        let out = build(&scene, &["--print-path", "--verbose"]).output().unwrap();
        assert!(out.status.success(), "{}", text(&out.stderr));
        let stdout = text(&out.stdout);
        let path = stdout.strip_suffix('\n').unwrap();
        assert!(Path::new(path).is_file(), "{stdout}");
    }
}

#[test]
fn exit_codes_tell_usage_from_build_failures() {
    let scene = Scene::new();
    failed(&xtask(&scene, &["build", "both"]).output().unwrap(), 2);
    failed(&xtask(&scene, &["build", "stock", "--flavour", "tasty"]).output().unwrap(), 2);
    let unknown = xtask(&scene, &["build", "stock", "--base", "1.0"]).output().unwrap();
    assert!(failed(&unknown, 2).contains("known: 10.2.2, 10.0.13, 7.2"));
    let nowhere = xtask(&scene, &["source", "--qemu-src", "/nowhere"]).output().unwrap();
    assert!(failed(&nowhere, 2).contains("/nowhere is no QEMU source tree"));
    put(&scene.qemu().join("main.c"), "int main(void) { return }\n");
    let broken = failed(&build(&scene, &[]).output().unwrap(), 4);
    assert!(
        broken.contains("error: QEMU does not compile\n  main.c:1: expected expression"),
        "{broken}"
    );
}

/// A build that hangs in its first compilation, until `hold` is removed.
fn held(scene: &Scene) -> (Child, std::path::PathBuf) {
    let hold = scene.dir.path().join("hold");
    put(&hold, "");
    let mut command = build(scene, &["--print-path"]);
    command.env("FAKE_HOLD", &hold).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let compiling = || {
        let trees = fs::read_dir(scene.cache().join("trees")).into_iter().flatten().flatten();
        trees.into_iter().any(|tree| count(&tree.path().join("compiled")) > 0)
    };
    while !compiling() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it compiled anything");
        std::thread::sleep(Duration::from_millis(10));
    }
    (child, hold)
}

/// Every compilation that was begun has ended (a zombie has).
fn wait_until_compilers_are_gone(scene: &Scene) {
    let pids = fs::read_to_string(scene.tree().join("compiled")).unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    for pid in pids.lines() {
        let stat = format!("/proc/{pid}/stat");
        while fs::read_to_string(&stat).is_ok_and(|s| !s.contains(") Z ")) {
            assert!(Instant::now() < end, "compiler {pid} was left behind");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn signal(child: &Child, signal: &str) {
    let kill = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
}

#[test]
fn ctrl_c_stops_the_compilers_and_exits_with_130() {
    let scene = Scene::new();
    // The file that holds the compilers stays: only a signal can end them.
    let (child, hold) = held(&scene);
    signal(&child, "-INT");
    let out = child.wait_with_output().unwrap();
    assert!(failed(&out, 130).contains("interrupted"));
    wait_until_compilers_are_gone(&scene);
    fs::remove_file(hold).unwrap();
    assert!(build(&scene, &[]).output().unwrap().status.success());
    assert_eq!(count(&scene.tree().join("configured")), 1, "what was finished is kept");
}

#[test]
fn after_kill_9_no_compiler_is_left_and_the_next_run_goes_on() {
    let scene = Scene::new();
    let (child, hold) = held(&scene);
    signal(&child, "-KILL");
    child.wait_with_output().unwrap();
    wait_until_compilers_are_gone(&scene);
    fs::remove_file(hold).unwrap();
    // As git leaves it when it is killed.
    put(&scene.tree().join("index.lock"), "");
    let out = build(&scene, &["--print-path"]).output().unwrap();
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(Path::new(text(&out.stdout).trim_end()).is_file());
    assert_eq!(count(&scene.tree().join("configured")), 1);
}

#[test]
fn a_second_run_waits_for_the_first_and_takes_what_it_built() {
    let scene = Scene::new();
    let (first, hold) = held(&scene);
    let mut second = build(&scene, &["--print-path"]);
    let second = second.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Not before the second one has had to wait.
    let mut second = second;
    let mut stderr = std::io::BufReader::new(second.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("waiting for another run") {
        line.clear();
        assert!(
            std::io::BufRead::read_line(&mut stderr, &mut line).unwrap() > 0,
            "it did not wait"
        );
    }
    assert!(line.contains(&first.id().to_string()), "{line}");
    fs::remove_file(hold).unwrap();
    let (first, second) = (first.wait_with_output().unwrap(), second.wait_with_output().unwrap());
    assert!(first.status.success() && second.status.success());
    assert_eq!(text(&first.stdout), text(&second.stdout));
    assert_eq!(count(&scene.tree().join("compiled")), 2);
}
