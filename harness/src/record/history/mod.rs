//! Every recorded result of every build, side by side. Pure.
//!
//! Builds are in the order of their versions, stock before patched. A build's
//! predecessors are those of its own lane: the same side and flavour.

mod line;
mod order;

use std::collections::BTreeMap;

use crate::qemu::{BuildIdentity, Side};
use crate::record::diff::{Basis, Comparison, compare};
use crate::record::results::ResultSet;
use crate::suites::TestId;
use crate::{Error, Kind, Result};

pub use line::{Line, Since, fails};
pub use order::{Lane, Place};

/// All builds, and every test on each of them.
#[derive(Clone, Debug, Default)]
pub struct History<'a> {
    /// The builds, the oldest version first.
    pub builds: Vec<Column<'a>>,
    /// The tests.
    pub tests: BTreeMap<TestId, Line<'a>>,
}

/// One build.
#[derive(Clone, Debug)]
pub struct Column<'a> {
    /// What identifies it.
    pub build: &'a BuildIdentity,
    /// Where it belongs.
    pub place: Place,
    /// Its results, one set a suite.
    pub sets: Vec<&'a ResultSet>,
}

impl Column<'_> {
    /// The suites that were measured on another series or with another
    /// compiler than the first one, although the build has one name.
    pub fn strays(&self) -> impl Iterator<Item = &str> {
        let stray = |set: &&&ResultSet| set.build != *self.build;
        self.sets.iter().filter(stray).map(|set| set.suite.name.as_str())
    }
}

impl<'a> History<'a> {
    /// Puts `sets` side by side.
    pub fn of(sets: &'a [ResultSet]) -> Self {
        let mut builds: Vec<Column<'a>> = Vec::new();
        for set in sets {
            match builds.iter_mut().find(|c| c.build.name == set.build.name) {
                Some(column) => column.sets.push(set),
                None => builds.push(Column {
                    build: &set.build,
                    place: Place::of(&set.build),
                    sets: vec![set],
                }),
            }
        }
        builds.sort_by(|a, b| (&a.place, &a.build.name).cmp(&(&b.place, &b.build.name)));
        let mut tests: BTreeMap<TestId, Line<'a>> = BTreeMap::new();
        for (at, column) in builds.iter().enumerate() {
            for (set, row) in column.sets.iter().flat_map(|s| s.tests.iter().map(move |r| (s, r))) {
                let empty = || Line::new(builds.len());
                tests.entry(set.id(row)).or_insert_with(empty).put(at, row);
            }
        }
        History { builds, tests }
    }

    /// The position of the build of that name.
    ///
    /// # Errors
    /// Usage, listing the builds.
    pub fn position(&self, build: &str) -> Result<usize> {
        self.builds.iter().position(|c| c.build.name == build).ok_or_else(|| {
            Error::new(Kind::Usage, format!("nothing is recorded for {build}"))
                .hint(self.recorded().unwrap_or_else(|| "nothing of that kind is recorded".into()))
        })
    }

    /// `the recorded builds: …`, where there are any.
    pub fn recorded(&self) -> Option<String> {
        let names: Vec<&str> = self.builds.iter().map(|c| c.build.name.as_str()).collect();
        (!names.is_empty()).then(|| format!("the recorded builds: {}", names.join(", ")))
    }

    /// The builds of the same lane before `at`, the newest first.
    pub fn before(&self, at: usize) -> impl Iterator<Item = usize> {
        let lane = self.builds[at].place.lane.clone();
        (0..at).rev().filter(move |&n| self.builds[n].place.lane == lane)
    }

    /// The build that `at` is naturally compared with: stock of the same
    /// version for a patched build, the version before for a stock one.
    pub fn predecessor(&self, at: usize) -> Option<usize> {
        let Place { version, lane } = &self.builds[at].place;
        let stock = Lane { side: Side::Stock, ..lane.clone() };
        let same = |c: &Column<'_>| c.place.version == *version && c.place.lane == stock;
        match lane.side {
            Side::Patched => self.builds.iter().position(same),
            Side::Stock => self.before(at).next(),
        }
    }

    /// The newest build of each lane.
    pub fn newest(&self) -> Vec<usize> {
        let lane = |n: usize| &self.builds[n].place.lane;
        let last = |&n: &usize| !(n + 1..self.builds.len()).any(|m| lane(m) == lane(n));
        (0..self.builds.len()).filter(last).collect()
    }

    /// What to compare `from` with when nothing is said: the newest build of
    /// its lane or, for that one itself, the patched build of its version.
    pub fn successor(&self, from: usize) -> Option<usize> {
        let place = &self.builds[from].place;
        let same_lane = |&n: &usize| self.builds[n].place.lane == place.lane;
        let patched = |&n: &usize| self.predecessor(n) == Some(from);
        let later = from + 1..self.builds.len();
        later.clone().rev().find(same_lane).or_else(|| later.clone().find(patched))
    }

    /// What differs between two builds, suite by suite, for the suites that
    /// both have.
    pub fn compare(&self, from: usize, to: usize) -> Vec<Comparison> {
        let (old, new) = (&self.builds[from], &self.builds[to]);
        let basis = match (old.place.lane.side, new.place.lane.side) {
            (Side::Stock, Side::Patched) => Basis::Series,
            _ => Basis::Builds,
        };
        let both = old.sets.iter().filter_map(|a| {
            let of_suite = |b: &&&ResultSet| b.suite.name == a.suite.name;
            new.sets.iter().find(of_suite).map(|b| compare(basis, a, b))
        });
        both.collect()
    }

    /// Since when `id` has been failing on build `at`; none when it does not.
    pub fn since(&self, id: &TestId, at: usize) -> Option<Since> {
        self.tests.get(id)?.since(at, self.before(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict::{self, Fail, Pass, Skip};
    use crate::record::fixtures::{row, set};

    fn on(build: &str, version: &str, verdicts: &[Option<Verdict>]) -> ResultSet {
        let rows = verdicts.iter().enumerate();
        let rows = rows.filter_map(|(n, v)| Some(row("c", &format!("t{n}"), (*v)?)));
        let mut set = set(build, rows.collect());
        set.build.qemu = version.into();
        set
    }

    fn id(n: usize) -> TestId {
        TestId { suite: "s".into(), config: "c".into(), test: format!("t{n}") }
    }

    #[test]
    fn versions_are_numbers_and_stock_comes_first() {
        let sets = [
            on("patched-10.2.2", "10.2.2", &[]),
            on("stock-10.2.2", "10.2.2 (v10.2.2)", &[]),
            on("stock-10.0.13", "10.0.13", &[]),
            on("stock-7.2.22", "7.2.22", &[]),
        ];
        let history = History::of(&sets);
        let names: Vec<_> = history.builds.iter().map(|c| c.build.name.as_str()).collect();
        assert_eq!(names, ["stock-7.2.22", "stock-10.0.13", "stock-10.2.2", "patched-10.2.2"]);
        assert_eq!(history.predecessor(0), None);
        assert_eq!(history.predecessor(2), Some(1));
        assert_eq!(history.predecessor(3), Some(2));
        assert_eq!(history.newest(), [2, 3]);
        assert_eq!(history.successor(0), Some(2));
        assert_eq!(history.successor(2), Some(3));
        assert_eq!(history.successor(3), None);
        assert_eq!(history.position("stock-9").unwrap_err().kind(), Kind::Usage);
    }

    #[test]
    fn failing_since_is_the_first_failure_that_no_pass_follows() {
        // One column a test, one row a version.
        let sets = [
            on("stock-1", "1", &[Some(Fail), Some(Pass), Some(Fail), Some(Fail), None]),
            on("stock-2", "2", &[Some(Fail), Some(Fail), Some(Pass), Some(Skip), None]),
            on("stock-3", "3", &[Some(Fail), Some(Fail), Some(Fail), Some(Fail), Some(Fail)]),
            on("patched-3", "3", &[Some(Pass), Some(Fail), Some(Skip), Some(Fail), None]),
        ];
        let history = History::of(&sets);
        let since = |n, at| {
            let since = history.since(&id(n), at)?;
            Some((history.builds[since.first].build.name.as_str(), since.passed))
        };
        assert_eq!(since(0, 2), Some(("stock-1", None)));
        assert_eq!(since(1, 2), Some(("stock-2", Some(0))));
        assert_eq!(since(2, 2), Some(("stock-3", Some(1))));
        assert_eq!(since(3, 2), Some(("stock-1", None)), "a skip is no pass");
        assert_eq!(since(4, 2), Some(("stock-3", None)));
        assert_eq!(since(0, 3), None);
        assert_eq!(since(1, 3), Some(("patched-3", None)), "of its own lane");
        assert_eq!(since(2, 3), None);
        assert_eq!(since(4, 3), None);
    }

    #[test]
    fn suites_that_only_one_build_has_are_not_compared() {
        let mut other = on("patched-1", "1", &[Some(Pass)]);
        other.suite.name = "other".into();
        let sets = [on("stock-1", "1", &[Some(Fail)]), on("patched-1", "1", &[Some(Pass)]), other];
        let history = History::of(&sets);
        let comparisons = history.compare(0, 1);
        assert_eq!(comparisons.len(), 1);
        assert_eq!((comparisons[0].basis, comparisons[0].flips.len()), (Basis::Series, 1));
    }

    #[test]
    fn two_series_under_one_name_are_noticed() {
        let (mut new, old) = (on("patched-1", "1", &[]), on("patched-1", "1", &[]));
        new.suite.name = "newer".into();
        new.build.series.as_mut().unwrap().hash = "ffff".into();
        let sets = [old, new];
        let history = History::of(&sets);
        assert_eq!(history.builds[0].strays().collect::<Vec<_>>(), ["newer"]);
    }
}
