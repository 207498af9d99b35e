use std::path::PathBuf;

use super::*;
use crate::mail::Mail;
use crate::series::Entry;
use crate::series::claim::Claim;
use crate::series::tests::patch_text;

const FILE: &str = "target/i386/svm.h";

fn patch(text: &str) -> Patch {
    let mail = Mail::parse(text.as_bytes()).unwrap();
    let entry = Entry {
        file: "0001-x.patch".into(),
        title: mail.subject.title.clone(),
        features: vec![svm_model::Feature::Npt],
        flips: vec![Claim::parse("kut/svm/a").unwrap()],
        ..Entry::default()
    };
    Patch { path: PathBuf::from("0001-x.patch"), mail, entry }
}

fn good() -> Patch {
    patch(&patch_text("target/i386: svm: mend it", FILE))
}

fn checks(patch: &Patch) -> Vec<(Check, String)> {
    patch_alone(0, patch).into_iter().map(|f| (f.check, f.what)).collect()
}

/// The one finding of `patch`, which must be of `check`.
fn only(patch: &Patch, check: Check) -> String {
    let found = checks(patch);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, check, "{found:?}");
    found[0].1.clone()
}

fn with_message(message: &str) -> Patch {
    let text = patch_text("target/i386: svm: mend it", FILE);
    let old = "It exits (AMD64 APM vol. 2, section 15.9).\n\nQEMU did not.";
    assert!(text.contains(old));
    patch(&text.replace(old, message))
}

#[test]
fn a_patch_as_it_should_be_has_no_finding() {
    assert_eq!(checks(&good()), []);
}

#[test]
fn titles_need_a_subsystem_and_a_measure() {
    let titled = |title: &str| patch(&patch_text(title, FILE));
    assert!(only(&titled("Mend it"), Check::Subject).contains("subsystem"));
    let long = format!("target/i386: {}", "x".repeat(60));
    assert!(only(&titled(&long), Check::Subject).contains("73 characters"));
    assert!(only(&titled("target/i386: mend it."), Check::Subject).contains("full stop"));
    assert_eq!(checks(&titled("i386/tcg, svm: mend")).len(), 1);
    assert_eq!(checks(&titled("docs/system/i386: svm: say so")), []);
}

#[test]
fn messages_are_wrapped_and_name_the_section() {
    let section = "AMD64 APM vol. 2,\nsection 15.9.";
    let long = format!("{section}\n\n{}", "word ".repeat(16));
    assert!(only(&with_message(&long), Check::Message).contains("line 4"));
    let quoted = format!("{section}\n\n    {}", "word ".repeat(16));
    assert_eq!(checks(&with_message(&quoted)), []);
    let silent = with_message("It exits. In section 4 of the list archive it says so.");
    only(&silent, Check::Section);
    let mut refactoring = with_message("Nothing changes.");
    refactoring.entry.features.clear();
    assert_eq!(checks(&refactoring), []);
    let found = checks(&with_message(""));
    assert!(found.iter().any(|(c, w)| *c == Check::Message && w.contains("no message")));
}

#[test]
fn a_second_change_is_found_by_word_by_place_and_by_space() {
    let word = with_message("APM vol. 2, section 15.9.\n\nWhile at\nit, rename b.");
    assert!(only(&word, Check::OneChange).contains("While at it"));
    let text = patch_text("target/i386: svm: mend it", FILE);
    let more = |path: &str, hunk: &str| {
        patch(&format!("{text}diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n{hunk}"))
    };
    let hunk = "@@ -1 +1,2 @@\n int a;\n+int b;\n";
    assert!(only(&more("tests/qtest/x.c", hunk), Check::OneChange).contains("two patches"));
    assert_eq!(checks(&more("docs/system/x.rst", hunk)), []);
    let spaces = more("target/i386/x.c", "@@ -1 +1 @@\n-int  a;\n+int a;\n");
    assert!(only(&spaces, Check::OneChange).contains("target/i386/x.c, @@ -1 +1 @@"));
    let everywhere: String = ["hw/i386/a.c", "accel/tcg/b.c", "target/arm/c.c"]
        .iter()
        .map(|p| format!("diff --git a/{p} b/{p}\n--- a/{p}\n+++ b/{p}\n{hunk}"))
        .collect();
    assert!(only(&patch(&format!("{text}{everywhere}")), Check::OneChange).contains("4 parts"));
}

#[test]
fn what_only_a_sender_may_add_is_not_stored() {
    let signed = with_message("APM vol. 2, section 15.9.\n\nSigned-off-by: A <a@example.org>");
    assert!(only(&signed, Check::Signoff).contains("Signed-off-by"));
}

#[test]
fn the_entry_is_held_against_the_file() {
    let mut p = good();
    p.entry.title = "target/i386: svm: mend that".into();
    assert!(only(&p, Check::Step).contains("mend that"));
    let mut p = good();
    p.entry.rules = vec!["no.such-rule".into()];
    assert!(only(&p, Check::Step).contains("no.such-rule"));
    p.entry.rules = vec![svm_model::rules::all().next().unwrap().1.id.into()];
    assert_eq!(checks(&p), []);
    p.entry.flips.clear();
    assert!(only(&p, Check::Step).contains("no reason"));
    p.entry.reason = Some("it only documents".into());
    assert_eq!(checks(&p), []);
    let numbered = patch_alone(1, &p);
    assert!(numbered[0].what.contains("0002-"), "{numbered:?}");
}

#[test]
fn a_new_file_in_a_folder_that_somebody_maintains_asks_for_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let list = "X86 TCG CPUs\nF: target/i386/tcg/\nF: tests/tcg/svm-*.c\n";
    std::fs::write(dir.path().join("MAINTAINERS"), list).unwrap();
    let adds = |path: &str| {
        let new = format!("--- /dev/null\n+++ b/{path}");
        let text = patch_text("target/i386: svm: mend it", path);
        let old = format!("--- a/{path}\n+++ b/{path}");
        assert!(text.contains(&old), "{text}");
        patch(&text.replace(&old, &new))
    };
    for path in ["target/i386/tcg/new.c", "tests/tcg/svm-new.c"] {
        assert!(maintained(&adds(path), dir.path()), "{path}");
    }
    for path in ["target/i386/new.c", "tests/tcg/new.c"] {
        assert!(!maintained(&adds(path), dir.path()), "{path}");
    }
    assert!(!maintained(&adds("x.c"), &dir.path().join("no tree")));
}
