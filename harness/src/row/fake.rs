//! A bench for tests: a tree whose files say how the tests end on it.
//!
//! In any file, a line `svm/a = pass` is a test of kvm-unit-tests and its
//! verdict, and `conformance/a = pass` one of the other suite; `flaky` is a
//! verdict that is another one each time; `breaks RULE in CASE` is a case that
//! differs from the model; `#error` does not compile.

use std::collections::BTreeSet;

use super::{Bench, Breach, Point, Step};
use crate::host::git::Git;
use crate::host::hash;
use crate::mail::Mail;
use crate::qemu::Qemu;
use crate::qemu::build::counted::Lines;
use crate::qemu::build::patch::Patch;
use crate::qemu::build::{self, Flavour, Spec};
use crate::qemu::testing::Tree;
use crate::record::fixtures;
use crate::record::results::{ResultSet, Row};
use crate::row::mails;
use crate::suites::SUITES;
use crate::suites::select::Selection;
use crate::suites::{hostile, kvm_selftests, kvm_unit_tests, qemu_tests, refusals, xen};
use crate::{Error, Kind, Result, Verdict};

/// The file that most tests change.
pub(crate) const FILE: &str = "target/i386/svm.c";

const CONFORMANCE: &str = crate::suites::conformance::NAME;
const MIGRATION: &str = crate::suites::migration::suite::NAME;
const RULES: &str = crate::suites::rules::NAME;

pub(crate) struct Fake {
    /// The names of the points that were built, in order.
    pub(crate) built: Vec<String>,
    /// How many verdicts were measured.
    pub(crate) runs: usize,
    /// How many cases between the ends were held against the model, and how many
    /// differed at the ends.
    pub(crate) held: usize,
    git: Git,
}

impl Fake {
    pub(crate) fn new(tree: &Tree) -> Fake {
        Fake { built: Vec::new(), runs: 0, held: 0, git: Git::new(&tree.source.git) }
    }
}

impl Bench for Fake {
    fn build(&mut self, point: &Point) -> Result<Step> {
        self.built.push(point.name.clone());
        let patches: Vec<Patch> =
            point.spec.patches.iter().map(|p| Patch::read(p)).collect::<Result<_>>()?;
        let applied = match build::apply::apply(&point.spec.source, &patches) {
            Ok(applied) => applied,
            Err(e) => return Ok(Step::Broken(e.to_string())),
        };
        let text = self.git.run(["grep", "-h", "-e", "", applied.tip(), "--", "target"])?;
        if text.contains("#error") {
            return Ok(Step::Broken("QEMU does not compile\n  svm.c:1: #error".into()));
        }
        let build = fixtures::set("patched-1", Vec::new()).build;
        let digest = hash::of_parts([&text]);
        let path = text.into();
        Ok(Step::Built(Box::new(Qemu { build, path, digest, firmware: Vec::new() })))
    }

    fn features(&mut self, qemu: &Qemu) -> Result<BTreeSet<String>> {
        let text = qemu.path.to_str().unwrap_or_default();
        if text.contains("mute") {
            return Err(Error::new(Kind::Build, "no answer"));
        }
        Ok(text.lines().filter_map(|l| l.strip_prefix("cpu ")).map(str::to_string).collect())
    }

    /// The test's file says which line of the tree it needs.
    fn companion(
        &mut self,
        tip: &Point,
        test: &str,
        qemus: &[&Qemu],
    ) -> Result<Option<Vec<Verdict>>> {
        let patches: Vec<Patch> =
            tip.spec.patches.iter().map(|p| Patch::read(p)).collect::<Result<_>>()?;
        let applied = build::apply::apply(&tip.spec.source, &patches)?;
        let text = self.git.run(["show", &format!("{}:{test}", applied.tip())])?;
        let Some(needed) = text.lines().find_map(|l| l.strip_prefix("needs ")) else {
            return Ok(None);
        };
        let has = |q: &&Qemu| q.path.to_str().unwrap_or_default().lines().any(|l| l == needed);
        let verdict = |q: &&Qemu| if has(q) { Verdict::Pass } else { Verdict::Fail };
        Ok(Some(qemus.iter().map(verdict).collect()))
    }

    fn rules(&mut self, qemu: &Qemu, only: Option<&[String]>) -> Result<Option<Vec<Breach>>> {
        let text = qemu.path.to_str().unwrap_or_default();
        let breaches = text.lines().filter_map(|line| {
            let (rule, case) = line.strip_prefix("breaks ")?.split_once(" in ")?;
            Some(Breach { case: case.into(), rule: rule.into() })
        });
        let wanted = |b: &Breach| only.is_none_or(|only| only.contains(&b.case));
        let breaches: Vec<Breach> = breaches.filter(wanted).collect();
        self.held += only.map_or(breaches.len(), <[String]>::len);
        Ok(Some(breaches))
    }

    /// Every line has code; one with the word `idle` does not run.
    fn lines(&mut self, point: &Point, _: &Selection, folder: &str) -> Result<Option<Lines>> {
        let patches: Vec<Patch> =
            point.spec.patches.iter().map(|p| Patch::read(p)).collect::<Result<_>>()?;
        let applied = build::apply::apply(&point.spec.source, &patches)?;
        let text = self.git.run(["show", &format!("{}:{FILE}", applied.tip())])?;
        if text.contains("uncounted") {
            return Err(Error::new(Kind::Build, "QEMU does not compile"));
        }
        let ran = text.lines().map(|line| !line.contains("idle"));
        assert!(FILE.starts_with(folder));
        Ok(Some([(FILE.to_owned(), (1..).zip(ran).collect())].into()))
    }

    fn measure(&mut self, qemu: &Qemu, what: &Selection, repeat: u32) -> Result<Vec<ResultSet>> {
        let text = qemu.path.to_str().unwrap_or_default();
        let mut sets = Vec::new();
        for (suite, _) in SUITES.iter().filter(|(suite, _)| what.suite(suite)) {
            let mut rows: Vec<Row> = Vec::new();
            for line in text.lines() {
                let Some((name, verdict)) = line.split_once(" = ") else { continue };
                let (config, test) = name.split_once('/').unwrap_or(("svm", name));
                let mine = match *suite {
                    CONFORMANCE => config == CONFORMANCE,
                    MIGRATION => config == MIGRATION,
                    RULES => config == RULES,
                    kvm_unit_tests::OTHERS
                    | hostile::NAME
                    | refusals::NAME
                    | xen::NAME
                    | xen::kvm::NAME
                    | kvm_selftests::NAME
                    | qemu_tests::NAME => false,
                    _ => ![CONFORMANCE, MIGRATION, RULES].contains(&config),
                };
                if mine && what.test(config, test, None) {
                    rows.push(self.row((config, test), verdict, repeat));
                }
            }
            rows.sort_by(|a, b| (&a.config, &a.test).cmp(&(&b.config, &b.test)));
            let mut set = fixtures::set("patched-1", rows);
            set.suite.name = (*suite).into();
            sets.push(set);
        }
        Ok(sets)
    }
}

impl Fake {
    fn row(&mut self, (config, test): (&str, &str), verdict: &str, repeat: u32) -> Row {
        let mut row = fixtures::row(config, test, Verdict::Pass);
        row.attempts = (0..repeat).map(|_| self.verdict(verdict)).collect();
        row.verdict = row.attempts.iter().copied().max_by_key(|v| v.badness()).unwrap();
        row.passed = u32::from(row.verdict == Verdict::Pass);
        row.failed = u32::from(row.verdict == Verdict::Fail);
        row.why = (row.verdict != Verdict::Pass).then(|| format!("{test}: {verdict}"));
        row
    }

    fn verdict(&mut self, name: &str) -> Verdict {
        self.runs += 1;
        let flaky = if self.runs.is_multiple_of(2) { Verdict::Fail } else { Verdict::Pass };
        Verdict::ALL.into_iter().find(|v| v.name() == name).unwrap_or(flaky)
    }
}

/// A tree with these lines in [`FILE`], and nothing that a patch to one of them
/// has to know of the others.
pub(crate) fn tree(lines: &[&str]) -> Tree {
    Tree::new(&[(FILE, &spread(lines))])
}

/// Lines with filling between, so that each is a hunk of its own.
pub(crate) fn spread(lines: &[&str]) -> String {
    let filling = |n: usize| (0..6).map(|i| format!("int {n}_{i};\n")).collect::<String>();
    lines
        .iter()
        .enumerate()
        .map(|(n, line)| format!("{}{line}\n{}", filling(n), filling(n + 100)))
        .collect()
}

/// The mails of a series that makes `changes` to [`FILE`] in turn.
pub(crate) fn mails(tree: &Tree, changes: &[(&str, &str)]) -> Vec<Mail> {
    let mut text = std::fs::read_to_string(tree.source.dir.join(FILE)).unwrap();
    let mut mails = Vec::new();
    for (n, (old, new)) in changes.iter().enumerate() {
        let place = format!("{}/{}", n + 1, changes.len());
        let subject = format!("[PATCH {place}] target/i386: svm: change {}", n + 1);
        mails.push(tree.mail_on(&subject, FILE, &text, old, new));
        text = text.replace(old, new);
    }
    mails
}

/// What is built with all of `mails`.
pub(crate) fn spec(tree: &Tree, mails: &[Mail]) -> Spec {
    let on = mails::apply(&tree.env, &tree.source, &[], mails).unwrap();
    assert!(on.refused.is_none(), "{:?}", on.refused);
    let patches = mails::files(&on.applied);
    Spec { source: tree.source.clone(), patches, flavour: Flavour::Release }
}
