//! `review` on mboxes: each names its patch, its reason and has its exit code.

use std::fs;

use crate::world::{World, text};

const LINES: [&str; 4] = ["a = fail", "b = pass", "c = pass", "cpu npt"];

/// The mbox of a series of changes, and its world.
fn series(changes: &[(&str, &str)]) -> (World, Vec<u8>) {
    let world = World::new(&LINES);
    for (n, (old, new)) in changes.iter().enumerate() {
        world.change(&format!("target/i386: svm: change {}", n + 1), old, new);
    }
    let mbox = world.mbox();
    world.to_base();
    (world, mbox)
}

#[test]
fn a_good_series_has_nothing_to_object_to_and_every_report() {
    let (world, mbox) = series(&[("a = fail", "a = pass"), ("cpu npt", "cpu npt\nint x;")]);
    let at = |name: &str| world.path(name).to_str().unwrap().to_string();
    let (reply, json, page) = (at("reply.txt"), at("out.json"), at("page"));
    let (code, said) =
        world.review(&mbox, &["--markdown", &reply, "--json", &json, "--html", &page]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("kut/svm/a fail -> pass"), "{said}");
    assert!(said.contains("nothing to object"), "{said}");
    assert!(fs::read_to_string(reply).unwrap().contains("\nTested-by: \n"));
    let json: serde_json::Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    assert_eq!(json["patches"][0]["flips"][0]["test"], "kut/svm/a");
    let page = fs::read_to_string(world.path("page/index.html")).unwrap();
    assert!(page.contains("kut&#x2f;svm&#x2f;a fail -&gt; pass") && page.contains("viewport"));
    let (_, said) = world.review(&mbox, &[]);
    assert_eq!(world.builds(), 3, "nothing is built again: {said}");
}

#[test]
fn a_planted_regression_is_named() {
    let (world, mbox) = series(&[("a = fail", "a = pass"), ("b = pass", "b = fail")]);
    let (code, said) = world.review(&mbox, &[]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("WORSE: kut/svm/b pass -> fail: broken"), "{said}");
    assert!(said.contains("first at patch 2 (`target/i386: svm: change 2`)"), "{said}");
}

#[test]
fn a_patch_that_builds_only_with_the_next_one_is_named() {
    let (world, mbox) = series(&[("a = fail", "#error"), ("#error", "a = pass")]);
    let (code, said) = world.review(&mbox, &[]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("DOES NOT BUILD: QEMU does not compile"), "{said}");
    assert!(
        said.contains("patch 1 (`target/i386: svm: change 1`) does not build; the whole"),
        "{said}"
    );
}

#[test]
fn a_patch_that_checkpatch_refuses_is_named() {
    let (world, mbox) = series(&[("a = fail", "a = pass"), ("cpu npt", "cpu npt\nint x; ")]);
    let (code, said) = world.review(&mbox, &[]);
    assert_eq!(code, 12, "{said}");
    assert!(said.contains("first in patch 2"), "{said}");
}

#[test]
fn a_missing_patch_is_named_and_mails_out_of_order_are_not_missed() {
    let (world, mbox) =
        series(&[("a = fail", "a = skip"), ("b = pass", "b = pass "), ("c = pass", "int c;")]);
    let mbox = String::from_utf8(mbox).unwrap();
    let parts = split(&mbox);
    let (code, said) = world.review(parts[..1].concat().as_bytes(), &[]);
    assert_eq!(code, 10, "{said}");
    assert!(said.contains("patch 2 of 3 is missing; patch 3 of 3 is missing"), "{said}");
    let reversed: String = parts.iter().rev().map(String::as_str).collect();
    let (code, said) = world.review(reversed.as_bytes(), &["--test", "!c"]);
    assert_ne!(code, 10, "{said}");
    assert!(said.contains("the mails were not in order"), "{said}");
}

/// The mails of an mbox.
fn split(mbox: &str) -> Vec<String> {
    let mut mails: Vec<String> = Vec::new();
    for line in mbox.split_inclusive('\n') {
        if line.starts_with("From ") && line.contains(" 00:00:00 2001") {
            mails.push(String::new());
        }
        mails.last_mut().unwrap().push_str(line);
    }
    mails
}

#[test]
fn a_series_that_touches_no_svm_code_is_told_so_and_runs_nothing() {
    let world = World::new(&LINES);
    world.file("docs: one more", "docs/x.rst", "one\ntwo\nthree\nfour\n");
    let mbox = world.mbox();
    world.to_base();
    let (code, said) = world.review(&mbox, &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("no suite ran: the series touches nothing of target/i386"), "{said}");
    assert_eq!(world.builds(), 0, "{said}");
}

#[test]
fn a_series_for_another_base_does_not_apply() {
    let (world, mbox) = series(&[("a = fail", "a = pass")]);
    world.put("qemu/target/i386/svm.c", "b = pass\n");
    let (code, said) = world.review(&mbox, &[]);
    assert_eq!(code, 11, "{said}");
    assert!(said.contains("DOES NOT APPLY") && said.contains("svm.c"), "{said}");
}

#[test]
fn a_range_of_a_checkout_is_reviewed_on_where_it_begins() {
    let world = World::new(&LINES);
    world.change("target/i386: svm: change 1", "a = fail", "a = pass");
    let qemu = world.path("qemu");
    let args = ["review", "HEAD~1..HEAD", "--checkout", qemu.to_str().unwrap()];
    let out = world.run(&[&args[..], &["--suite", "kvm-unit-tests"]].concat());
    assert!(text(&out).contains("kut/svm/a fail -> pass"), "{}", text(&out));
}
