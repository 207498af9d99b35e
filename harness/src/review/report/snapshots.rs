//! Each report of a review as a whole, against a file that was looked at.
//!
//! `BLESS=1 cargo test -p harness review::report` writes the files anew.

use std::path::Path;

use super::{brief, html, markdown, text};
use crate::Verdict;
use crate::qemu::checkpatch::{Complaint, Severity};
use crate::review::assemble::Fault;
use crate::review::{
    Applies, Builds, Flipped, PatchReview, Review, RuleChange, Runs, SuiteSummary, Tally,
};

fn check(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/review/report/expected").join(name);
    if std::env::var_os("BLESS").is_some() {
        return std::fs::write(path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, expected, "{name} differs; BLESS=1 writes it anew");
}

fn fits_a_screen(text: &str) {
    assert!(text.lines().count() <= 50, "{text}");
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
}

fn flip(test: &str, from: Verdict, to: Verdict) -> Flipped {
    Flipped {
        test: test.into(),
        feature: None,
        from: Some(from),
        to: Some(to),
        worse: to != Verdict::Pass,
        flaky: false,
        why: Some("exit code 0x81, not 0x80".into()),
        or_earlier: Vec::new(),
    }
}

fn patch(number: u32) -> PatchReview {
    let fixed = (0..9).map(|n| {
        let test = format!("conformance/intercepts/test-{number}-{n}");
        flip(&test, Verdict::Fail, Verdict::Pass)
    });
    PatchReview {
        number,
        title: format!("target/i386: svm: check what the manual says, part {number}"),
        applies: Applies::Cleanly,
        builds: Builds::Yes,
        flips: fixed.collect(),
        ..PatchReview::default()
    }
}

fn review(patches: u32) -> Review {
    let before = Tally { pass: 1045, skip: 82, all: 1864 };
    Review {
        input: "series.mbox".into(),
        title: "target/i386: svm: consistency checks".into(),
        version: 3,
        base: "stock QEMU 10.2.2".into(),
        patches: (1..=patches).map(patch).collect(),
        suites: vec![SuiteSummary {
            name: "conformance 1864 cases, 10a13971cb87f5bc".into(),
            before,
            after: Tally { pass: 1700, ..before },
        }],
        ..Review::default()
    }
}

/// One of everything that a reader must not miss.
fn bad() -> Review {
    let mut r = review(3);
    r.faults = vec![
        Fault::Missing { number: 4, of: 4, elsewhere: Some(2) },
        Fault::Damaged { why: "reading a mail: there is a NUL in its subject".into() },
    ];
    r.notes = vec!["2 mails are no patches of this version".into()];
    let files = ["configure", "scripts/helper.py"].map(str::to_owned).to_vec();
    r.runs = vec![Runs { patch: 2, files }];
    r.patches[1].refused = vec!["configure: line 7: /etc/x: Read-only file system".into()];
    r.patches[0].flips.push(flip("svm/vgif", Verdict::Pass, Verdict::Crash));
    r.patches[0].checkpatch = vec![Complaint {
        severity: Severity::Error,
        what: "trailing whitespace".into(),
        at: Some("target/i386/svm.c:3".into()),
    }];
    r.patches[1].rules = vec![RuleChange {
        rule: "vmrun.cr0-cd-nw".into(),
        section: "15.5.1".into(),
        before: 0,
        after: 3,
        example: "vmrun/cr0/7".into(),
        or_earlier: Vec::new(),
    }];
    r.patches[2].builds = Builds::No { why: "QEMU does not compile\n  svm.c:1: error: <x>".into() };
    r.patches[2].flips.clear();
    r
}

#[test]
fn a_series_to_which_there_is_nothing_to_say() {
    let r = review(3);
    fits_a_screen(&brief(&r));
    check("good-brief.txt", &brief(&r));
}

#[test]
fn a_long_series_still_fits_a_screen() {
    let mut r = review(136);
    r.patches[99].flips.push(flip("svm/vgif", Verdict::Pass, Verdict::Fail));
    let said = brief(&r);
    fits_a_screen(&said);
    assert!(
        said.contains("WORSE: svm/vgif") && said.contains("and 135 patches to which"),
        "{said}"
    );
    check("long-brief.txt", &said);
}

#[test]
fn one_of_everything_that_a_reader_must_not_miss() {
    let r = bad();
    fits_a_screen(&brief(&r));
    check("bad-brief.txt", &brief(&r));
    check("bad.txt", &text(&r));
    check("bad.md", &markdown(&r));
    check("bad.html", &html(&r).unwrap());
}
