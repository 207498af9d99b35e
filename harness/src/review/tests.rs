use super::*;
use crate::qemu::testing::Tree;
use crate::row::fake::{self, FILE, Fake};
use assemble::assemble;
use input::Found;

/// A stand-in for checkpatch that knows one rule.
const CHECKPATCH: &str = "my $bad = 0; while (<>) { if (/^\\+.*[ \\t]$/) { $bad = 1; \
                          print \"ERROR: trailing whitespace\\n#1: FILE: x.c:1:\\n\"; } } exit $bad;\n";

const BASE: [&str; 3] = ["svm/a = fail", "svm/b = pass", "cpu npt"];

/// A tree with these lines, and the real tree's script.
fn tree(lines: &[&str]) -> Tree {
    Tree::new(&[(FILE, &fake::spread(lines)), ("scripts/checkpatch.pl", CHECKPATCH)])
}

fn request(tree: &Tree, mails: Vec<Mail>) -> Request {
    Request {
        name: "test.mbox".into(),
        assembled: assemble(Found { mails, ..Found::default() }, false),
        source: tree.source.clone(),
        before: Vec::new(),
        base: "stock QEMU 10.2.2".into(),
        selection: Selection::default(),
        repeat: 1,
        always: false,
        every: false,
        rules: true,
        lines: true,
    }
}

fn reviewed(tree: &Tree, mails: Vec<Mail>) -> Review {
    review(&tree.env, &mut Fake::new(tree), &request(tree, mails)).unwrap()
}

/// The review of a series of changes to the fake tree.
fn of(changes: &[(&str, &str)]) -> Review {
    let tree = tree(&BASE);
    let mails = fake::mails(&tree, changes);
    reviewed(&tree, mails)
}

fn says(review: &Review, what: &str) {
    for text in [report::text(review), report::markdown(review), report::html(review).unwrap()] {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let flat = flat
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#x2f;", "/")
            .replace("&#x27;", "'");
        assert!(flat.contains(what), "no `{what}` in:\n{text}");
    }
}

#[test]
fn a_good_series_says_what_it_fixes_and_where() {
    let r = of(&[("cpu npt", "cpu npt\nint x;"), ("svm/a = fail", "svm/a = pass")]);
    assert_eq!((r.outcome(), r.outcome().exit_code()), (Outcome::Good, 0));
    assert_eq!(r.patches[1].flips[0].test, "kut/svm/a");
    assert!(!r.patches[1].flips[0].worse);
    says(&r, "kut/svm/a fail -> pass");
    says(&r, "1 of 2 tests pass before, 2 of 2 with the series");
    assert!(report::markdown(&r).contains("\nTested-by: \n"));
}

#[test]
fn tests_that_are_skipped_are_counted_apart() {
    let tree = tree(&["svm/a = fail", "svm/b = skip", "svm/c = pass"]);
    let mails = fake::mails(&tree, &[("svm/a = fail", "svm/a = pass")]);
    let r = reviewed(&tree, mails);
    says(&r, "1 of 3 tests pass before (1 skipped), 2 of 3 (1 skipped) with the series");
    let reply = report::markdown(&r).replace('\n', " ");
    assert!(reply.contains("built it at 1 of 1 patch and compared"), "{reply}");
}

#[test]
fn a_planted_regression_is_put_on_its_patch() {
    let r = of(&[
        ("svm/a = fail", "svm/a = pass"),
        ("svm/b = pass", "svm/b = crash"),
        ("cpu npt", "cpu npt\nint x;"),
    ]);
    assert_eq!((r.outcome(), r.outcome().exit_code()), (Outcome::Regression, 1));
    assert_eq!(r.patches[1].flips.len(), 1);
    assert!(r.patches[0].flips.iter().chain(&r.patches[2].flips).all(|f| !f.worse));
    says(&r, "test got worse, first at patch 2 (`target/i386: svm: change 2`)");
    says(&r, "WORSE: kut/svm/b pass -> crash");
    assert!(!report::markdown(&r).contains("Tested-by"));
}

#[test]
fn a_patch_that_does_not_build_in_the_middle_is_named_though_the_end_builds() {
    let r = of(&[("svm/a = fail", "#error"), ("#error", "svm/a = pass")]);
    assert_eq!((r.outcome(), r.outcome().exit_code()), (Outcome::DoesNotBuild, 4));
    assert!(matches!(r.patches[0].builds, Builds::No { .. }));
    assert_eq!(r.patches[1].builds, Builds::Yes);
    assert_eq!(r.patches[1].flips[0].or_earlier, [1]);
    says(&r, "does not build; the whole series does, so this shows only when bisecting");
    says(&r, "(or at patch 1, which does not build)");
}

#[test]
fn checkpatch_errors_are_named_with_their_patch() {
    let r = of(&[("svm/a = fail", "svm/a = pass"), ("cpu npt", "cpu npt\nint x; ")]);
    assert_eq!((r.outcome(), r.outcome().exit_code()), (Outcome::Style, 12));
    assert!(r.patches[0].checkpatch.is_empty());
    says(&r, "checkpatch: x.c:1: ERROR: trailing whitespace");
    says(&r, "first in patch 2");
}

#[test]
fn a_missing_patch_is_the_reason_whatever_else_fails() {
    let tree = tree(&BASE);
    let changes = [
        ("svm/a = fail", "svm/a = skip"),
        ("svm/a = skip", "svm/a = crash"),
        ("svm/a = crash", "svm/a = pass"),
    ];
    let mut mails = fake::mails(&tree, &changes);
    mails.remove(1);
    let r = reviewed(&tree, mails);
    assert_eq!((r.outcome(), r.outcome().exit_code()), (Outcome::Incomplete, 10));
    assert!(matches!(r.patches[1].applies, Applies::Refused { .. }));
    says(&r, "patch 2 of 3 is missing");
}

/// A patch that adds a test which needs `line`, as number `place`.
fn test_mail(place: &str, line: &str) -> Mail {
    let text = format!(
        "From: A <a@example.org>\nSubject: [PATCH {place}] tests/qtest: test it\n\nIt tests.\n---\n\n\
         diff --git a/tests/qtest/svm-test.c b/tests/qtest/svm-test.c\nnew file mode 100644\n\
         --- /dev/null\n+++ b/tests/qtest/svm-test.c\n@@ -0,0 +1 @@\n+needs {line}\n"
    );
    Mail::parse(text.as_bytes()).unwrap()
}

fn with_test(first: bool, line: &str) -> Review {
    let tree = tree(&BASE);
    let fix = |place: &str| {
        let subject = format!("[PATCH {place}] target/i386: svm: fix");
        tree.mail(&subject, FILE, "svm/a = fail", "svm/a = pass")
    };
    let mails = match first {
        true => vec![test_mail("1/2", line), fix("2/2")],
        false => vec![fix("1/2"), test_mail("2/2", line)],
    };
    reviewed(&tree, mails)
}

#[test]
fn a_test_before_its_fix_is_in_the_wrong_order() {
    let r = with_test(true, "svm/a = pass");
    assert_eq!((r.outcome(), r.outcome().exit_code()), (Outcome::BadTest, 13));
    assert_eq!(r.companions[0].verdict, CompanionVerdict::TooEarly { fixed: 2 });
    says(&r, "WRONG ORDER: it comes with patch 1 and fails until patch 2");
    let r = with_test(false, "svm/a = pass");
    assert_eq!(r.outcome(), Outcome::Good);
    says(&r, "tests/qtest/svm-test.c fails without the fix, passes from patch 1 on");
}

#[test]
fn a_test_that_shows_no_bug_or_still_fails_is_named() {
    let r = with_test(false, "svm/b = pass");
    assert_eq!(r.companions[0].verdict, CompanionVerdict::PassesWithout);
    says(&r, "passes without the series, too");
    let r = with_test(false, "svm/c = pass");
    assert_eq!(r.companions[0].verdict, CompanionVerdict::FailsWith);
    assert_eq!(r.outcome(), Outcome::BadTest);
}

#[test]
fn a_series_that_touches_no_svm_code_runs_nothing_and_says_so() {
    let files =
        [(FILE, "svm/a = pass\n"), ("docs/x.rst", "a\n"), ("scripts/checkpatch.pl", CHECKPATCH)];
    let tree = Tree::new(&files);
    let mail = tree.mail("[PATCH] docs: b", "docs/x.rst", "a\n", "b\n");
    let mut bench = Fake::new(&tree);
    let r = review(&tree.env, &mut bench, &request(&tree, vec![mail.clone()])).unwrap();
    assert_eq!((r.outcome(), bench.runs, bench.built.len()), (Outcome::Good, 0, 0));
    says(&r, "no suite ran: the series touches nothing of target/i386");
    assert!(report::markdown(&r).contains("\nI applied the series to stock QEMU 10.2.2.\n"));
    assert!(report::text(&r).contains("\n1 patch on stock QEMU 10.2.2"));
    assert!(!report::markdown(&r).contains("Tested-by"));
    let always = Request { always: true, ..request(&tree, vec![mail]) };
    let r = review(&tree.env, &mut bench, &always).unwrap();
    assert!(r.unmeasured.is_none() && bench.runs > 0);
}

#[test]
fn a_series_for_another_base_is_told_from_one_with_fuzz() {
    let tree = tree(&BASE);
    let other = fake::spread(&BASE).replace("int 0_5;", "int zero;");
    let fuzzy = tree.mail_on("[PATCH] target/i386: x", FILE, &other, "int 0_2;", "int two;");
    let r = reviewed(&tree, vec![fuzzy]);
    assert_eq!(r.patches[0].applies, Applies::Fuzzily { context: 2 });
    says(&r, "applies with fuzz: 2 lines of context match");
    let strange = tree.mail_on("[PATCH] target/i386: x", FILE, "a\nb\nc\n", "b\n", "d\n");
    let r = reviewed(&tree, vec![strange]);
    assert_eq!((r.outcome(), r.outcome().exit_code()), (Outcome::DoesNotApply, 11));
    says(&r, "does not apply to stock QEMU 10.2.2; it fits no other base");
    assert!(report::markdown(&r).contains("\nI tried to apply the series to stock QEMU 10.2.2.\n"));
}

#[test]
fn a_base_of_our_series_is_found_for_a_patch_made_on_it() {
    let tree = tree(&BASE);
    let ours = fake::mails(&tree, &[("svm/a = fail", "svm/a = pass")]);
    let dir = tree.env.series_dir("10.2");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("0001-x.patch"), ours[0].to_patch()).unwrap();
    let text = fake::spread(&BASE).replace("svm/a = fail", "svm/a = pass");
    let next = tree.mail_on("[PATCH] target/i386: y", FILE, &text, "svm/a = pass", "svm/a = skip");
    let r = reviewed(&tree, vec![next.clone()]);
    assert_eq!(r.fits, ["QEMU 10.2.2, on top of our series"]);
    says(&r, "it applies to QEMU 10.2.2, on top of our series");
    let before = mails::read_folder(&dir).unwrap();
    let on_top = Request { before, ..request(&tree, vec![next]) };
    let r = review(&tree.env, &mut Fake::new(&tree), &on_top).unwrap();
    assert_eq!(r.patches[0].applies, Applies::Cleanly);
    assert!(matches!(r.patches[0].flips[0].from, Some(Verdict::Pass)));
}

#[test]
fn features_come_with_the_patch_that_offers_them() {
    let r = of(&[("svm/a = fail", "svm/a = pass"), ("cpu npt", "cpu npt\ncpu lbrv")]);
    assert_eq!(r.patches[1].features.0, ["lbrv"]);
    assert_eq!((r.outcome(), r.outcome().exit_code()), (Outcome::Untrue, 14));
    says(&r, "-cpu max offers lbrv from here on, which the message does not mention");
}

#[test]
fn between_the_ends_only_what_changed_is_measured_and_a_binary_once() {
    let mut lines: Vec<String> = (0..30).map(|n| format!("svm/t{n} = pass")).collect();
    lines.push("svm/a = fail".into());
    lines.extend((0..7).map(|n| format!("int x{n};")));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let tree = tree(&lines);
    let new: Vec<String> = (0..7).map(|n| format!("int y{n};")).collect();
    let mut changes: Vec<(&str, &str)> = (0..7).map(|n| (lines[31 + n], new[n].as_str())).collect();
    changes[4] = ("svm/a = fail", "svm/a = pass");
    let mails = fake::mails(&tree, &changes);
    let mut bench = Fake::new(&tree);
    let r = review(&tree.env, &mut bench, &request(&tree, mails.clone())).unwrap();
    assert_eq!(r.patches[4].flips.len(), 1);
    assert_eq!(bench.built.len(), 8);
    // 31 tests at both ends, one test at three points between; the one that
    // passes now three times more on both sides.
    assert_eq!(bench.runs, 2 * 31 + 3 + 2 * 3);
    let every = Request { every: true, ..request(&tree, mails) };
    let mut bench = Fake::new(&tree);
    let r = review(&tree.env, &mut bench, &every).unwrap();
    assert_eq!((bench.runs, r.patches[4].flips.len()), (8 * 31 + 2 * 3, 1));
}

#[test]
fn a_reply_is_plain_text_that_fits_a_mail() {
    let r = of(&[("svm/a = fail", "svm/a = pass"), ("svm/b = pass", "svm/b = crash")]);
    let reply = report::markdown(&r);
    assert!(reply.lines().all(|l| l.chars().count() <= 72), "{reply}");
    assert!(reply.starts_with("> [PATCH 0/2] target/i386: svm: change 1\n"), "{reply}");
    assert!(!reply.contains(['*', '#', '|']), "{reply}");
}

#[test]
fn rules_that_change_sides_are_put_on_their_patch_with_their_section() {
    let lines = [
        "svm/a = fail",
        "breaks vmrun.cr0-cd-nw in c/1",
        "breaks vmrun.cr0-cd-nw in c/2",
        "int x;",
        "int y;",
    ];
    let tree = tree(&lines);
    let changes = [
        (lines[1], "int c1;"),
        ("svm/a = fail", "svm/a = pass"),
        (lines[2], "int c2;"),
        ("int x;", "breaks vmrun.efer-svme in c/3"),
        ("int y;", "int z;"),
    ];
    let r = reviewed(&tree, fake::mails(&tree, &changes));
    let rules = |at: usize| r.patches[at].rules.iter().map(|r| (r.before, r.after)).collect();
    let all: Vec<Vec<(usize, usize)>> = (0..5).map(rules).collect();
    assert_eq!(all, [vec![(2, 1)], vec![], vec![(1, 0)], vec![(0, 1)], vec![]]);
    assert_eq!((r.outcome(), r.outcome().exit_code()), (Outcome::Regression, 1));
    let section = "(APM vol. 2, 15.5.1)";
    says(&r, &format!("breaks vmrun.cr0-cd-nw {section} in 1 case, before in 2, such as c/1"));
    says(&r, &format!("obeys vmrun.cr0-cd-nw {section}, which it broke in 1 case, such as c/2"));
    says(&r, &format!("BREAKS vmrun.efer-svme {section} in 1 case, such as c/3"));
    says(&r, "rule of the manual is broken that was not, first at patch 4");
    let part = Request {
        selection: Selection { suites: vec!["kvm-unit-tests".into()], ..Selection::default() },
        ..request(&tree, fake::mails(&tree, &changes))
    };
    let mut bench = Fake::new(&tree);
    review(&tree.env, &mut bench, &part).unwrap();
    assert_eq!(bench.held, 0, "cases are part of the conformance suite");
}

#[test]
fn changed_lines_that_no_suite_executed_are_named() {
    let r = of(&[
        ("svm/a = fail", "svm/a = pass\nint idle;\nint idle2;"),
        ("cpu npt", "cpu npt\nint x;"),
    ]);
    let executed = r.executed.as_ref().unwrap();
    assert_eq!((executed[0].lines, executed[0].ran, executed[0].idle.len()), (4, 2, 1));
    let (a, b) = executed[0].idle[0];
    says(&r, "of 4 changed lines of target/i386 that have code, 2 ran");
    says(&r, &format!("{FILE}: did not run: {a}-{b}"));
}

#[test]
fn a_patch_of_our_own_series_is_told_where_it_belongs() {
    let tree = tree(&BASE);
    let changes = [("svm/a = fail", "svm/a = skip"), ("svm/a = skip", "svm/a = pass")];
    let ours = fake::mails(&tree, &changes);
    let dir = tree.env.series_dir("10.2");
    std::fs::create_dir_all(&dir).unwrap();
    for (n, mail) in ours.iter().enumerate() {
        std::fs::write(dir.join(format!("000{n}-x.patch")), mail.to_patch()).unwrap();
    }
    let one = Mail {
        subject: Mail::parse(b"Subject: [PATCH] target/i386: svm: change 2\n\nM.\n")
            .unwrap()
            .subject,
        ..ours[1].clone()
    };
    let r = reviewed(&tree, vec![one]);
    assert_eq!(r.fits, ["QEMU 10.2.2, behind patch 1 of our series, which has it as patch 2"]);
    let before = mails::read_folder(&dir).unwrap();
    let again = Request { before, ..request(&tree, vec![ours[1].clone()]) };
    let r = review(&tree.env, &mut Fake::new(&tree), &again).unwrap();
    says(&r, "it changes nothing here: what it does is there already");
}

/// What is said to the caller, and not to the list.
fn noted(review: &Review, what: &str) {
    assert!(review.notes.iter().any(|n| n == what), "no `{what}` in {:?}", review.notes);
    let text = report::text(review).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(what), "{text}");
}

#[test]
fn what_cannot_be_asked_or_counted_is_said_and_takes_nothing_of_the_rest() {
    let r = of(&[
        ("cpu npt", "cpu npt\nint mute;"),
        ("svm/a = fail", "svm/a = pass"),
        ("int mute;", "int uncounted;"),
    ]);
    assert_eq!(r.outcome(), Outcome::Good);
    says(&r, "svm/a fail -> pass");
    noted(&r, "at patch 1: no answer");
    noted(&r, "which lines run was not counted: QEMU does not compile");
    let r = of(&[("svm/a = fail", "svm/a = pass"), ("cpu npt", "cpu npt\n#error")]);
    assert_eq!(r.outcome(), Outcome::DoesNotBuild);
    says(&r, "svm/a fail -> pass");
    noted(&r, "which lines run was not counted: the whole series does not build");
}
