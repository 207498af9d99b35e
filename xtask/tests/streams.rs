//! What a command does when nobody reads it, when its output cannot be written, and with files
//! that are none.

use std::fs::{self, File};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn xtask(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(args).stdin(Stdio::null());
    command
}

/// Commands that print something long, something for programs, and a path.
const TALKERS: [&[&str]; 4] =
    [&["case", "list"], &["rules"], &["report"], &["case", "show", "vmload/virtual-vmload"]];

#[test]
fn a_full_disk_is_a_failure_and_a_closed_pipe_is_none() {
    for args in TALKERS {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = xtask(args).stdout(full).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(6), "{args:?}: {said}");
        assert!(said.contains("writing to standard output"), "{args:?}: {said}");

        let mut child = xtask(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*said), (Some(0), ""), "{args:?}");
    }
}

fn explain(file: &Path) -> Output {
    xtask(&["explain", file.to_str().unwrap()]).output().unwrap()
}

#[test]
fn explain_takes_a_page_and_nothing_that_has_no_end() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for file in [pipe.as_path(), dir.path(), Path::new("/dev/zero")] {
        let output = explain(file);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{}: {said}", file.display());
        assert!(said.contains("it is no regular file"), "{said}");
    }
    let large = dir.path().join("large");
    File::create(&large).unwrap().set_len(1 << 40).unwrap();
    let output = explain(&large);
    assert_eq!(output.status.code(), Some(2));

    let endless = Command::new("yes").arg("00").stdout(Stdio::piped()).spawn().unwrap();
    let mut endless = endless;
    let input = endless.stdout.take().unwrap();
    let output = xtask(&["explain", "-"]).stdin(input).output().unwrap();
    let _ = (endless.kill(), endless.wait());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("standard input has more than"), "{said}");
}

/// Whether a process has said what becomes of SIGTERM.
fn listens(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & 1 << (15 - 1) != 0
}

#[test]
fn one_signal_ends_what_waits_for_input_and_what_asks_the_model_only() {
    let waits: [&[&str]; 3] = [
        &["explain", "-"],
        &["conform", "--on", "model", "--cases", "1000000"],
        &["bench", "model", "--seconds", "1000"],
    ];
    for args in waits {
        let mut child = xtask(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Open as long as it waits for it.
        let input = child.stdin.take();
        let pid = child.id().to_string();
        while !listens(&pid) {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(130), "{args:?}: {status}");
        drop(input);
    }
}

#[test]
fn what_is_named_for_output_is_not_replaced_by_a_file() {
    let args = ["conform", "--on", "model", "--case", "vmload/virtual-vmload", "--json"];
    let output = xtask(&args).arg("/dev/stdout").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("\"executor\": \"model\""), "{said}");
    let status = xtask(&args).arg("/dev/null").stdout(Stdio::null()).status().unwrap();
    assert!(status.success());
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("one");
    let file = file.to_str().unwrap();
    let same = xtask(&args).args([file, "--markdown", file]).output().unwrap();
    let said = String::from_utf8_lossy(&same.stderr);
    assert_eq!(same.status.code(), Some(2), "{said}");
    assert!(said.contains("name one file"), "{said}");
    let status = xtask(&args).arg(file).stdout(Stdio::null()).status().unwrap();
    assert!(status.success() && fs::read_to_string(file).unwrap().starts_with('['));
}
