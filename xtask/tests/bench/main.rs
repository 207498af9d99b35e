//! `cargo xtask bench`, as a process: what it says to wrong arguments.

use std::process::{Command, Output};

fn bench(args: &[&str]) -> (Output, String) {
    let cache = tempfile::tempdir().unwrap();
    let mut c = Command::new(env!("CARGO_BIN_EXE_xtask"));
    c.args(["--no-install", "--cache"]).arg(cache.path()).arg("bench").args(args);
    let out = c.output().unwrap();
    // Wherever its lines end.
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    (out, said)
}

#[test]
fn what_cannot_be_measured_is_a_usage_error_that_names_what_can() {
    let (out, said) = bench(&["speed"]);
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(said.contains("world-switch") && said.contains("l1"), "{said}");
}

#[test]
fn no_round_and_a_binary_that_is_none_are_usage_errors() {
    let (out, said) = bench(&["--rounds", "0"]);
    assert_eq!(out.status.code(), Some(2), "{said}");
    let (out, said) = bench(&["world-switch", "--stock-qemu", "/no/such", "--qemu", "/no/such"]);
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(said.contains("/no/such"), "{said}");
}

#[test]
fn a_binary_that_runs_no_guest_is_said_and_nothing_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let fake = dir.path().join("qemu");
    std::fs::write(
        &fake,
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'QEMU emulator version 1.0' && exit\nexit 1\n",
    )
    .unwrap();
    let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(&fake, mode).unwrap();
    let path = fake.to_str().unwrap();
    let (out, said) = bench(&["world-switch", "--stock-qemu", path, "--qemu", path]);
    assert_eq!(out.status.code(), Some(5), "{said}");
    assert!(said.contains("QEMU ended before the guest did"), "{said}");
    assert!(out.stdout.is_empty());
}
