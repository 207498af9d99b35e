//! `cargo xtask explain`, as one types it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use svm_model::case::world;
use svm_model::vmcb::{Field, Image, SIZE};

/// The model's baseline VMCB with some fields changed.
fn page(changes: &[(Field, u64)]) -> [u8; SIZE] {
    let mut image = Image::ZERO;
    world::BASELINE.iter().chain(changes).for_each(|(field, value)| image.set(*field, *value));
    let mut page = [0; SIZE];
    image.write_to(&mut page);
    page
}

fn explain(args: &[&str], input: &str) -> Output {
    let cache = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("explain").args(args).arg("--cache").arg(cache.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that wants no input may be gone.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn hex(page: &[u8]) -> String {
    page.chunks(32)
        .map(|b| b.iter().map(|b| format!("{b:02x}")).collect::<String>() + "\n")
        .collect()
}

#[test]
fn a_file_and_its_hex_are_explained_alike() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vmcb.bin");
    let page = page(&[(Field::GUEST_ASID, 0), (Field::DR7, 1 << 40)]);
    std::fs::write(&path, page).unwrap();
    let file = explain(&[&path.display().to_string()], "");
    let piped = explain(&["-"], &hex(&page));
    assert_eq!(file.stdout, piped.stdout);
    assert_eq!(file.status.code(), Some(1), "{file:?}");
    let said = String::from_utf8(file.stdout).unwrap();
    assert!(said.starts_with("VMRUN refuses it: 2 rules are broken (on max)."), "{said}");
    assert!(said.contains("vmrun.asid-zero") && said.contains("vmrun.dr7-high"), "{said}");
}

#[test]
fn what_is_accepted_exits_with_0_and_is_data_too() {
    let output = explain(&["-", "--json", "--cpu", "EPYC-Milan"], &hex(&page(&[])));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["verdict"], "suspicious");
    assert_eq!(said["broken"].as_array().map(Vec::len), Some(0));
    assert_eq!(said["groups"][1]["title"], "Controls");
}

#[test]
fn what_is_wrong_is_named_with_what_would_be_right() {
    for (args, input, code, says) in [
        (&["-"][..], "00 01", 2, "the hex has 2 bytes; a VMCB is one page of 4096"),
        (&["-"], "zz", 2, "\"zz\" is no hex"),
        (&["/nowhere/vmcb"], "", 2, "reading /nowhere/vmcb"),
        (&["-", "--cpu", "Zen9"], "", 2, "no processor is called \"Zen9\""),
        (&["--qmp", "/nowhere/qmp"], "", 2, "-qmp unix:SOCKET"),
        (&["--qmp", "/nowhere/qmp", "--cpu", "max"], "", 2, "--cpu max: with --qmp, a number"),
        (&["--qmp", "/nowhere/qmp", "--at", "x"], "", 2, "no address in hex"),
        (&["-", "--at", "0x1000"], "", 2, "cannot be used with"),
        (&["-", "--qmp", "/nowhere"], "", 2, "cannot be used with"),
        (&[], "", 2, "<FILE>"),
    ] {
        let output = explain(args, input);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said}");
    }
}
