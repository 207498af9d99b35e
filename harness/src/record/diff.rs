//! What changed between two sets of results. Pure.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::Verdict;
use crate::record::results::{KnownFailures, ResultSet, Row};
use crate::suites::TestId;
use crate::suites::kvm_unit_tests::parse::stable;

/// How a test changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Worse than before.
    Regressed,
    /// It was there, and is not any more.
    Gone,
    /// It did not pass, and does now.
    Fixed,
    /// Still no pass, but nearer to one.
    Improved,
    /// Another failure, neither better nor worse; or a known one.
    Changed,
    /// It was not there before.
    New,
    /// Known to differ from run to run.
    Flaky,
}

impl Change {
    /// Every kind, in the order in which reports list them.
    pub const ALL: [Change; 7] = [
        Change::Regressed,
        Change::Gone,
        Change::Fixed,
        Change::Improved,
        Change::Changed,
        Change::New,
        Change::Flaky,
    ];

    /// The word in a report.
    pub const fn name(self) -> &'static str {
        match self {
            Change::Regressed => "regressed",
            Change::Gone => "gone",
            Change::Fixed => "fixed",
            Change::Improved => "improved",
            Change::Changed => "changed",
            Change::New => "new",
            Change::Flaky => "flaky",
        }
    }
}

/// A test that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flip {
    /// Which.
    pub id: TestId,
    /// How.
    pub change: Change,
    /// Before; none for a new test.
    pub from: Option<Row>,
    /// After; none for one that is gone.
    pub to: Option<Row>,
}

impl Flip {
    /// The row that says most: the newer one.
    pub fn row(&self) -> Option<&Row> {
        self.to.as_ref().or(self.from.as_ref())
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Stock to patched.
    Series,
    /// The recorded results to those of now.
    Recorded,
    /// One recorded build to another.
    Builds,
}

/// Two sets, and what differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// What is compared.
    pub basis: Basis,
    /// The suite.
    pub suite: String,
    /// The build before.
    pub from: String,
    /// The build after.
    pub to: String,
    /// The suites differ in version: `(before, after)`.
    pub versions: Option<(String, String)>,
    /// Sorted by kind, then by name.
    pub flips: Vec<Flip>,
}

impl Comparison {
    /// Whether it makes the run fail. Tests that are gone do only where both
    /// sides ran the same version of the suite.
    pub fn is_worse(&self) -> bool {
        let same = self.versions.is_none();
        let bad = |c| c == Change::Regressed || (c == Change::Gone && same);
        self.flips.iter().any(|f| bad(f.change))
    }
}

/// Compares two results of one suite. What a shard owes is in neither: that it did
/// not come says nothing about a test.
pub fn compare(basis: Basis, from: &ResultSet, to: &ResultSet) -> Comparison {
    let (old, new) = (by_key(from), by_key(to));
    let owed: BTreeSet<_> = [&old, &new]
        .into_iter()
        .flatten()
        .filter(|(_, row)| row.owed_by().is_some())
        .map(|(key, _)| *key)
        .collect();
    let mut flips = Vec::new();
    for (key, before) in old.iter().filter(|(key, _)| !owed.contains(*key)) {
        let after = new.get(key).copied();
        let change = after.map_or(Some(Change::Gone), |after| change(basis, before, after));
        flips.extend(change.map(|change| flip(to, change, Some(before), after)));
    }
    for (key, after) in
        new.iter().filter(|(key, _)| !old.contains_key(*key) && !owed.contains(*key))
    {
        debug_assert_eq!((key.0, key.1), (after.config.as_str(), after.test.as_str()));
        flips.push(flip(to, Change::New, None, Some(after)));
    }
    flips.sort_by(|a, b| (a.change, &a.id).cmp(&(b.change, &b.id)));
    let versions = (from.suite.version.clone(), to.suite.version.clone());
    Comparison {
        basis,
        suite: to.suite.name.clone(),
        from: from.build.name.clone(),
        to: to.build.name.clone(),
        versions: (versions.0 != versions.1).then_some(versions),
        flips,
    }
}

fn by_key(set: &ResultSet) -> BTreeMap<(&str, &str), &Row> {
    set.tests.iter().map(|row| ((row.config.as_str(), row.test.as_str()), row)).collect()
}

fn flip(set: &ResultSet, change: Change, from: Option<&Row>, to: Option<&Row>) -> Flip {
    let row = to.or(from).expect("a flip has at least one side");
    Flip { id: set.id(row), change, from: from.cloned(), to: to.cloned() }
}

/// None when nothing that counts is different.
fn change(basis: Basis, from: &Row, to: &Row) -> Option<Change> {
    let change = match to.verdict.badness().cmp(&from.verdict.badness()) {
        Ordering::Less if to.verdict == Verdict::Pass => Change::Fixed,
        Ordering::Less => Change::Improved,
        Ordering::Greater => Change::Regressed,
        Ordering::Equal => same_verdict(from, to)?,
    };
    // That stock passes is known to whoever wrote down why patched does not; what was recorded
    // as a pass is not known to fail until that is recorded.
    let expected = to.known.is_some() && (basis == Basis::Series || from.verdict != Verdict::Pass);
    Some(match change {
        _ if from.flaky || to.flaky => Change::Flaky,
        Change::Regressed if expected => Change::Changed,
        change => change,
    })
}

/// The verdict is the same; the assertions may not be.
fn same_verdict(from: &Row, to: &Row) -> Option<Change> {
    let why = |row: &Row| row.why.as_deref().map(stable);
    match (to.passed.cmp(&from.passed), to.failed.cmp(&from.failed)) {
        // A pass with fewer assertions tests less, which is to be looked at.
        (Ordering::Less, _) if to.verdict == Verdict::Pass => Some(Change::Changed),
        (_, _) if to.verdict == Verdict::Pass => None,
        (Ordering::Less, _) => Some(Change::Regressed),
        (Ordering::Greater, _) | (Ordering::Equal, Ordering::Less) => Some(Change::Improved),
        (Ordering::Equal, Ordering::Greater) => Some(Change::Changed),
        (Ordering::Equal, Ordering::Equal) => (why(from) != why(to)).then_some(Change::Changed),
    }
}

/// Tests that pass although the file of known failures says that they cannot,
/// with its reason.
pub fn unexpected_passes(set: &ResultSet, known: &KnownFailures) -> Vec<(TestId, String)> {
    let passing = set.tests.iter().filter(|row| row.verdict == Verdict::Pass);
    let denied = |row: &Row| {
        let id = set.id(row);
        let reason = known.denied(&set.build.name, &id)?.reason.clone();
        Some((id, reason))
    };
    passing.filter_map(denied).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixtures::{row, set};

    fn one(from: Row, to: Row) -> Option<Change> {
        let (from, to) = (set("stock-1", vec![from]), set("patched-1", vec![to]));
        let comparison = compare(Basis::Series, &from, &to);
        comparison.flips.first().map(|f| f.change)
    }

    fn of(verdict: Verdict) -> Row {
        row("c", "t", verdict)
    }

    #[test]
    fn every_pair_of_verdicts_has_a_direction() {
        for from in Verdict::ALL {
            for to in Verdict::ALL {
                let expected = match (from, to) {
                    (from, to) if from == to => None,
                    (_, Verdict::Pass) => Some(Change::Fixed),
                    (from, to) if to.badness() < from.badness() => Some(Change::Improved),
                    _ => Some(Change::Regressed),
                };
                assert_eq!(one(of(from), of(to)), expected, "{from} to {to}");
            }
        }
    }

    #[test]
    fn a_result_that_a_shard_owes_is_no_change() {
        let owed = || Row { why: Some("shard 2/3 left no result".into()), ..of(Verdict::Missing) };
        assert_eq!(owed().owed_by(), Some(2));
        for other in Verdict::ALL {
            assert_eq!((one(of(other), owed()), one(owed(), of(other))), (None, None), "{other}");
        }
        let said = Row { why: Some("asserts nothing".into()), ..of(Verdict::Missing) };
        assert_eq!(one(of(Verdict::Pass), said), Some(Change::Regressed));
    }

    #[test]
    fn within_a_verdict_the_assertions_count() {
        let fail = |passed, failed| Row { passed, failed, ..of(Verdict::Fail) };
        assert_eq!(one(fail(5, 3), fail(5, 3)), None);
        assert_eq!(one(fail(5, 3), fail(4, 3)), Some(Change::Regressed));
        assert_eq!(one(fail(5, 3), fail(6, 4)), Some(Change::Improved));
        assert_eq!(one(fail(5, 3), fail(5, 2)), Some(Change::Improved));
        assert_eq!(one(fail(5, 3), fail(5, 4)), Some(Change::Changed));
        let pass = |passed| Row { passed, ..of(Verdict::Pass) };
        assert_eq!(one(pass(9), pass(8)), Some(Change::Changed));
        assert_eq!(one(pass(9), pass(10)), None);
    }

    #[test]
    fn a_reason_is_compared_without_its_addresses() {
        let why = |text: &str| Row { why: Some(text.into()), ..of(Verdict::Fail) };
        assert_eq!(one(why("got 0x1234"), why("got 0x5678")), None);
        assert_eq!(one(why("got 0x1234"), why("lost 0x1234")), Some(Change::Changed));
    }

    #[test]
    fn flaky_and_known_ones_are_no_regressions_unless_they_are_recorded_as_passes() {
        let flaky = |v| Row { flaky: true, ..of(v) };
        assert_eq!(one(of(Verdict::Pass), flaky(Verdict::Timeout)), Some(Change::Flaky));
        let known = |v| Row { known: Some("reason".into()), ..of(v) };
        assert_eq!(one(of(Verdict::Skip), known(Verdict::Fail)), Some(Change::Changed));
        assert_eq!(one(of(Verdict::Pass), known(Verdict::Fail)), Some(Change::Changed));
        let (from, to) = (set("p", vec![of(Verdict::Pass)]), set("p", vec![known(Verdict::Fail)]));
        let recorded = compare(Basis::Recorded, &from, &to);
        assert_eq!(recorded.flips[0].change, Change::Regressed);
    }

    #[test]
    fn gone_tests_count_against_the_same_version_only() {
        let from = set("stock-1", vec![row("c", "a", Verdict::Pass), row("c", "b", Verdict::Pass)]);
        let mut to =
            set("stock-1", vec![row("c", "b", Verdict::Pass), row("c", "n", Verdict::Fail)]);
        let comparison = compare(Basis::Recorded, &from, &to);
        let seen: Vec<_> =
            comparison.flips.iter().map(|f| (f.change, f.id.test.as_str())).collect();
        assert_eq!(seen, [(Change::Gone, "a"), (Change::New, "n")]);
        assert!(comparison.is_worse());
        to.suite.version = "v2".into();
        assert!(!compare(Basis::Recorded, &from, &to).is_worse());
    }
}
