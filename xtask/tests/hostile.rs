//! `cargo xtask hostile`: what it refuses, before anything is built.

use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    let cache = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("hostile").arg("--cache").arg(cache.path()).args(args);
    command.output().unwrap()
}

#[test]
fn what_makes_no_sense_is_a_usage_error_that_says_what_would() {
    for (args, says) in [
        (&["--attempts", "1", "--keep", "xyz"][..], "no such number of changes"),
        (&["--keep", "1"], "--attempts"),
        (&["--on", "model"], "qemu:patched"),
        (&["--mode", "tcg"], "one-insn"),
        (&["--beside", "me"], "monitor"),
        (&["--processors", "3"], "3"),
        (&["--kind", "friendly"], "flipped"),
    ] {
        let output = run(args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(says), "{args:?}: {text}");
    }
}
