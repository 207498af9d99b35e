//! Mails that mean ill: each file of the folder has its exit code in its name.

use std::fs;
use std::path::Path;

use crate::world::World;

#[test]
fn every_hostile_mail_has_its_exit_code_and_nothing_of_it_reaches_the_terminal() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../harness/tests/hostile/mails");
    let world = World::new(&["a = pass"]);
    let mut wrong = Vec::new();
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let expected: i32 =
            name.split("exit-").nth(1).unwrap().trim_end_matches(".mbox").parse().unwrap();
        let (code, said) = world.review(&fs::read(&path).unwrap(), &["--patience", "5"]);
        seen += 1;
        if code != expected {
            wrong.push(format!("{name}: {code}\n{said}"));
        }
        let obeyed = |c: char| c.is_control() && c != '\n';
        assert!(!said.contains(obeyed), "{name}: {said:?}");
        assert!(said.len() < 20_000, "{name}: {} bytes", said.len());
    }
    assert!(wrong.is_empty() && seen > 20, "{seen} files; {}", wrong.join("\n"));
    // Nor did one of them write where it is not to.
    let mut folders = vec![world.path("")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            assert_ne!(entry.file_name(), "owned", "{}", entry.path().display());
            folders.extend(entry.file_type().unwrap().is_dir().then(|| entry.path()));
        }
    }
}

#[test]
fn a_mailbox_is_no_series_and_a_pipe_no_file() {
    let world = World::new(&["a = pass"]);
    let mail = "From 0123 Mon Sep 17 00:00:00 2001\nSubject: [PATCH] x\n\nM.\n\n";
    let (code, said) = world.review(mail.repeat(50_000).as_bytes(), &[]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("50000 mails are too many: at most 1000"), "{said}");
    let pipe = world.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let out = world.run(&["review", pipe.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(2), "{}", crate::world::text(&out));
}
