use super::*;
use crate::host::console::Verbosity;
use crate::row::along;
use crate::row::fake::{self, Fake};
use crate::series::{Entry, Patch};

/// What a patch replaces, by what, and what it claims: to pass, or behind a `!` to fail.
type Change<'a> = (&'a str, &'a str, &'a [&'a str]);

/// Verifies a series of changes, each with its claims; `parts` are the places,
/// from 0, where a part begins.
fn walked(base: &[&str], changes: &[Change<'_>], parts: &[usize]) -> Walk {
    let tree = fake::tree(base);
    let plain: Vec<_> = changes.iter().map(|(old, new, _)| (*old, *new)).collect();
    let mails = fake::mails(&tree, &plain);
    let spec = fake::spec(&tree, &mails);
    let claim = |name: &str| Claim::parse(name).unwrap();
    let entry = |mail: &crate::mail::Mail, names: &[&str]| Entry {
        file: mail.subject.title.clone(),
        flips: names.iter().filter(|n| !n.starts_with('!')).map(|n| claim(n)).collect(),
        fails: names.iter().filter_map(|n| n.strip_prefix('!')).map(claim).collect(),
        ..Entry::default()
    };
    let mut patches = Vec::new();
    for ((path, mail), (_, _, names)) in spec.patches.iter().zip(&mails).zip(changes) {
        let mut entry = entry(mail, names);
        entry.part = parts.contains(&patches.len()).then(|| "part".into());
        patches.push(Patch { path: path.clone(), mail: mail.clone(), entry });
    }
    let series = Series { dir: "s".into(), patches };
    let request =
        Request { from: 1, to: changes.len(), suites: Vec::new(), thorough: false, repeat: 1 };
    let mut bench = Fake::new(&tree);
    let console = Console::new(Verbosity::Quiet);
    verify(&mut bench, &console, &series, &along(&spec, "stock"), &request, |_| {}).unwrap()
}

fn verified(base: &[&str], changes: &[Change<'_>]) -> Vec<Verified> {
    walked(base, changes, &[]).patches
}

/// The faults of a series of one change.
fn one(base: &[&str], old: &str, new: &str, claims: &[&str]) -> Vec<Fault> {
    verified(base, &[(old, new, claims)]).remove(0).faults
}

const AB: [&str; 2] = ["svm/a = fail", "svm/b = pass"];

#[test]
fn a_series_that_does_what_it_says_has_no_fault() {
    let v = verified(
        &["svm/a = fail", "svm/b = fail"],
        &[
            ("svm/a = fail", "svm/a = pass", &["kut/svm/a"]),
            ("svm/b = fail", "svm/b = pass", &["kut/b"]),
        ],
    );
    assert!(v.iter().all(|p| p.faults.is_empty()), "{v:?}");
    assert_eq!(v[0].flipped, ["kut/svm/a"]);
}

#[test]
fn a_named_test_must_pass_with_the_patch() {
    let faults = one(&AB, "svm/b = pass", "svm/b = pass;", &["kut/svm/a"]);
    assert!(
        matches!(&faults[..], [Fault::NotFlipped { test, verdict: Verdict::Fail, .. }, ..] if test == "kut/svm/a"),
        "{faults:?}"
    );
}

#[test]
fn a_named_test_must_not_pass_before() {
    let faults = one(&AB, "svm/a = fail", "svm/a = pass", &["kut/svm/a", "kut/svm/b"]);
    assert_eq!(faults, [Fault::Early { claim: "kut/svm/b".into() }]);
    let faults = one(&AB, "svm/a = fail", "svm/a = pass", &[]);
    assert_eq!(faults, [Fault::Unclaimed { test: "kut/svm/a".into() }]);
}

#[test]
fn of_a_family_all_pass_and_one_is_new() {
    let base = ["svm/f1 = fail", "svm/f2 = pass"];
    assert_eq!(one(&base, "svm/f1 = fail", "svm/f1 = pass", &["kut/svm/f*"]), []);
    let base = ["svm/f1 = fail", "svm/f2 = skip"];
    let faults = one(&base, "svm/f1 = fail", "svm/f1 = pass", &["kut/svm/f*"]);
    assert!(
        matches!(&faults[..], [Fault::NotFlipped { verdict: Verdict::Skip, .. }]),
        "{faults:?}"
    );
}

#[test]
fn a_name_without_a_test_is_named() {
    let faults = one(&AB, "svm/a = fail", "svm/a = pass", &["kut/svm/a", "kut/svm/z"]);
    assert_eq!(faults, [Fault::Unknown { claim: "kut/svm/z".into() }]);
}

#[test]
fn anything_worse_is_a_fault_at_its_patch() {
    let v = verified(
        &AB,
        &[("svm/a = fail", "svm/a = pass", &["kut/svm/a"]), ("svm/b = pass", "svm/b = crash", &[])],
    );
    assert_eq!(v[0].faults, []);
    let worse = |f: &Fault| matches!(f, Fault::Worse { test, from: Verdict::Pass, to: Some(Verdict::Crash), .. } if test == "kut/svm/b");
    assert!(v[1].faults.iter().all(worse) && v[1].faults.len() == 1, "{v:?}");
    let faults = one(&AB, "svm/b = pass", "int b;", &[]);
    assert!(matches!(&faults[..], [Fault::Worse { to: None, .. }]), "{faults:?}");
}

#[test]
fn a_test_that_can_be_run_from_here_on_may_still_fail_but_must_not_crash() {
    let base = ["svm/a = fail", "svm/b = skip"];
    let v = verified(&base, &[("svm/b = skip", "svm/b = fail", &[])]);
    assert_eq!(v[0].faults, []);
    assert!(v[0].notes.iter().any(|n| n.contains("can be run from here on, and fails")), "{v:?}");
    let faults = one(&base, "svm/b = skip", "svm/b = crash", &[]);
    assert!(matches!(&faults[..], [Fault::Worse { .. }]), "{faults:?}");
}

#[test]
fn what_rightly_fails_is_no_fault_where_it_is_named() {
    let v = verified(&AB, &[("svm/b = pass", "svm/b = fail", &["!kut/svm/b"])]);
    assert_eq!(v[0].faults, []);
    assert!(v[0].notes.iter().any(|n| n.contains("as series.toml says")), "{v:?}");
    let faults = one(&AB, "svm/a = fail", "svm/a = fail;", &["!kut/svm/b"]);
    assert_eq!(faults, [Fault::NotFailed { claim: "kut/svm/b".into() }]);
    let faults = one(&AB, "svm/a = fail", "svm/a = fail;", &["!kut/svm/z"]);
    assert_eq!(faults, [Fault::Unknown { claim: "kut/svm/z".into() }]);
}

#[test]
fn what_wavers_is_a_note_and_no_fault() {
    let v = verified(&AB, &[("svm/b = pass", "svm/b = flaky", &[])]);
    let v2 = verified(&AB, &[("svm/a = fail", "svm/a = flaky", &[])]);
    for v in [v, v2] {
        assert_eq!(v[0].faults, [], "{v:?}");
        assert!(v[0].notes.iter().any(|n| n.contains("flaky")), "{v:?}");
    }
}

#[test]
fn a_patch_that_does_not_build_is_a_fault_and_the_walk_goes_on() {
    let v = verified(
        &["svm/a = fail", "svm/b = fail"],
        &[("svm/a = fail", "#error", &[]), ("#error", "svm/a = pass", &["kut/svm/a"])],
    );
    assert!(matches!(&v[0].faults[..], [Fault::Broken { why }] if why.contains("#error")));
    assert_eq!(v[1].faults, []);
}

/// Nine changes; the one in the middle breaks and mends what nobody names.
fn nine() -> [Change<'static>; 9] {
    let mut changes: [Change<'static>; 9] = [("", "", &[]); 9];
    let numbered = [
        ("int 0_0;", "int 0_0; //"),
        ("int 0_1;", "int 0_1; //"),
        ("int 0_2;", "int 0_2; //"),
        ("svm/b = pass", "svm/b = fail"),
        ("svm/a = fail", "svm/a = pass"),
        ("int 0_3;", "int 0_3; //"),
        ("int 0_4;", "int 0_4; //"),
        ("svm/b = fail", "svm/b = pass"),
        ("int 0_5;", "int 0_5; //"),
    ];
    for (change, (old, new)) in changes.iter_mut().zip(numbered) {
        *change = (old, new, &[]);
    }
    changes
}

#[test]
fn what_nobody_names_is_found_between_two_whole_runs() {
    let walk = walked(&AB, &nine(), &[]);
    let faulty: Vec<_> = walk.patches.iter().filter(|v| !v.faults.is_empty()).collect();
    assert_eq!(faulty.len(), 1, "{faulty:?}");
    assert_eq!(faulty[0].number, 5);
    assert_eq!(faulty[0].faults, [Fault::Unclaimed { test: "kut/svm/a".into() }]);
    let kut = &walk.coverage[1];
    assert_eq!(kut.whole, ["stock", &walk_name(&walk, 9)], "{kut:?}");
    assert_eq!((kut.tests, kut.points, kut.elsewhere), (2, 10, 1));
}

#[test]
fn where_a_part_ends_everything_is_measured() {
    let walk = walked(&AB, &nine(), &[4]);
    assert_eq!(walk.coverage[1].whole.len(), 3);
    let faulty: Vec<_> =
        walk.patches.iter().filter(|v| !v.faults.is_empty()).map(|v| v.number).collect();
    assert_eq!(faulty, [4, 5, 8], "worse, unclaimed, unclaimed: {:?}", walk.patches);
    assert!(matches!(&walk.patches[3].faults[..], [Fault::Worse { .. }]));
}

#[test]
fn a_quick_suite_is_measured_everywhere_and_claims_without_and_with_their_patch() {
    let base = ["conformance/x = fail", "svm/a = fail", "svm/b = pass"];
    let mut changes = nine();
    changes[2] = ("conformance/x = fail", "conformance/x = pass", &["conformance/x"]);
    changes[4].2 = &["kut/svm/a"];
    changes[6] = ("conformance/x = pass", "conformance/x = crash", &[]);
    let walk = walked(&base, &changes, &[]);
    let faulty: Vec<_> = walk.patches.iter().filter(|v| !v.faults.is_empty()).collect();
    assert_eq!(faulty.len(), 1, "{faulty:?}");
    assert_eq!(faulty[0].number, 7);
    let measured = |n: usize, suite: &str| walk.patches[n - 1].measured.get(suite).copied();
    assert_eq!(measured(5, "kvm-unit-tests"), Some(1));
    assert_eq!(measured(2, "kvm-unit-tests").unwrap_or(0), 0);
    assert_eq!(measured(2, "conformance"), Some(1));
    let conformance = &walk.coverage[0];
    assert_eq!(conformance.whole.len(), conformance.points);
}

/// The name of a point, which is that of its patch's file.
fn walk_name(walk: &Walk, number: usize) -> String {
    let title = &walk.patches[number - 1].file;
    crate::row::mails::file_name(number - 1, title)
}
