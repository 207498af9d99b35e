use std::collections::BTreeSet;

use super::*;
use crate::qemu::testing::Tree;
use crate::record::fixtures;
use crate::record::results::ResultSet;
use crate::row::fake::{self, Fake};
use crate::row::{along, fake::spread};

/// A series of `changes`, and a search for `kut/svm/a` in it.
fn search(base: &[&str], changes: &[(&str, &str)]) -> (Result<Bisection>, Vec<String>) {
    let tree = fake::tree(base);
    let spec = fake::spec(&tree, &fake::mails(&tree, changes));
    let mut bench = Fake::new(&tree);
    let claim = Claim::parse("kut/svm/a").unwrap();
    let found = bisect(&mut bench, &along(&spec, "stock"), &claim, &mut |_, _| {});
    (found, bench.built)
}

fn found(base: &[&str], changes: &[(&str, &str)]) -> Bisection {
    search(base, changes).0.unwrap()
}

/// A row of which the test fails from the `bad`th point on.
struct Row {
    bad: usize,
}

impl Bench for Row {
    fn build(&mut self, point: &Point) -> Result<Step> {
        let build = fixtures::set("patched-1", Vec::new()).build;
        let (path, firmware) = (point.name.clone().into(), Vec::new());
        Ok(Step::Built(Box::new(Qemu { build, path, digest: String::new(), firmware })))
    }

    fn features(&mut self, _: &Qemu) -> Result<BTreeSet<String>> {
        Ok(BTreeSet::new())
    }

    fn companion(&mut self, _: &Point, _: &str, _: &[&Qemu]) -> Result<Option<Vec<Verdict>>> {
        Ok(None)
    }

    fn measure(&mut self, qemu: &Qemu, _: &Selection, _: u32) -> Result<Vec<ResultSet>> {
        let at: usize = qemu.path.to_str().unwrap().parse().unwrap();
        let verdict = if at < self.bad { Verdict::Pass } else { Verdict::Fail };
        let mut set = fixtures::set("patched-1", vec![fixtures::row("svm", "a", verdict)]);
        set.suite.name = "kvm-unit-tests".into();
        Ok(vec![set])
    }
}

#[test]
fn a_regression_in_twenty_patches_takes_six_builds_at_most_wherever_it_is() {
    let tree = Tree::new(&[("x", "")]);
    let spec = fake::spec(&tree, &[]);
    let points: Vec<Point> =
        (0..=20).map(|n| Point { name: n.to_string(), spec: spec.clone() }).collect();
    let claim = Claim::parse("kut/svm/a").unwrap();
    for bad in 0..=20 {
        let b = bisect(&mut Row { bad }, &points, &claim, &mut |_, _| {}).unwrap();
        let expected = if bad == 0 { Found::Nowhere } else { Found::Change { at: bad } };
        assert_eq!(b.found, expected);
        assert!(b.builds <= 6, "{} builds for patch {bad}", b.builds);
    }
}

#[test]
fn a_test_that_never_changed_is_said_to_be_so() {
    let b = found(&["svm/a = pass", "svm/b = fail"], &[("svm/b = fail", "svm/b = pass")]);
    assert_eq!(b.found, Found::Nowhere);
    let text = text(&b);
    assert!(text.contains("nothing changed it: it is pass in 0001-"), "{text}");
    assert!(text.contains("and was\nin stock already"), "{text}");
}

#[test]
fn a_flaky_test_blames_nothing_and_shows_its_attempts() {
    let b = found(&["svm/a = pass"], &[("svm/a = pass", "svm/a = flaky")]);
    assert_eq!(b.found, Found::Flaky { at: 1 });
    let text = text(&b);
    assert!(text.contains("flaky") && text.contains("fail, pass, fail"), "{text}");
}

#[test]
fn both_neighbours_of_a_change_are_measured_again() {
    let b = found(&["svm/a = fail"], &[("svm/a = fail", "svm/a = pass")]);
    let attempts = |at: usize| match &b.tried.iter().find(|(n, _)| *n == at).unwrap().1 {
        Seen::Ran { attempts, .. } => attempts.len(),
        _ => 0,
    };
    assert_eq!((attempts(0), attempts(1)), (3, 3));
}

#[test]
fn a_commit_whose_neighbour_does_not_build_is_not_blamed() {
    let lines = ["svm/a = pass", "svm/b = pass", "svm/c = pass", "svm/d = pass"];
    let b = found(
        &lines,
        &[
            ("svm/d = pass", "svm/d = fail"),
            ("svm/b = pass", "#error"),
            ("svm/a = pass", "svm/a = fail"),
            ("#error", "svm/b = pass"),
        ],
    );
    assert_eq!(b.found, Found::Among { first: 2, last: 4 });
    let text = text(&b);
    assert!(text.contains("one of the 3 from 0002-"), "{text}");
    assert!(text.contains("does not build: svm.c:1: #error"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    expect_test::expect![[r#"
        kut/svm/a
          0001-target-i386-svm-change-1.patch  pass (pass, pass, pass)
          0002-target-i386-svm-change-2.patch  does not build: svm.c:1: #error
          0003-target-i386-svm-change-3.patch  does not build: svm.c:1: #error
          0004-target-i386-svm-change-4.patch  fail (fail, fail, fail): a: fail

        one of the 3 from 0002-target-i386-svm-change-2.patch to
        0004-target-i386-svm-change-4.patch changed it; those between do not build, so
        none can be blamed
        4 builds of 5 points
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_last_point_that_does_not_build_has_no_verdict() {
    let (found, built) = search(&["svm/a = pass"], &[("svm/a = pass", "#error")]);
    let e = found.unwrap_err();
    assert_eq!((e.kind(), built.len()), (Kind::Build, 1));
}

#[test]
fn a_name_that_means_no_test_or_several_is_refused() {
    let tree = Tree::new(&[(fake::FILE, &spread(&["svm/a = pass", "svm_npt/a = pass"]))]);
    let points = along(&fake::spec(&tree, &[]), "stock");
    let look = |name: &str| {
        let claim = Claim::parse(name).unwrap();
        bisect(&mut Fake::new(&tree), &points, &claim, &mut |_, _| {}).unwrap_err()
    };
    let e = look("kut/a");
    assert_eq!(e.kind(), Kind::Usage);
    assert!(e.to_string().contains("kut/svm/a, kut/svm_npt/a"), "{e}");
    assert!(look("kut/svm/z").to_string().contains("no test `kut/svm/z`"));
}

#[test]
fn a_test_that_is_new_begins_where_it_begins() {
    let b = found(&["int a;"], &[("int a;", "svm/a = pass")]);
    assert_eq!(b.found, Found::Change { at: 1 });
    assert!(text(&b).contains("missing before, pass with it"), "{}", text(&b));
}
