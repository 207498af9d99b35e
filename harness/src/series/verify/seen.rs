//! What was measured, by test and point; and between which points a test
//! changes.

use std::collections::BTreeMap;

use crate::Verdict;
use crate::record::results::{ResultSet, Row};
use crate::row::rows;
use crate::suites::TestId;

/// Verdicts by test and point. A test that was looked for and not found has no
/// row there.
#[derive(Default)]
pub(super) struct Seen {
    tests: BTreeMap<TestId, BTreeMap<usize, Option<Row>>>,
    /// Sets without rows: what identifies each measurement.
    frames: BTreeMap<(usize, String), ResultSet>,
}

impl Seen {
    /// Takes in what was measured at `at`; of `wanted`, what is not there is
    /// known to be absent.
    pub(super) fn take(&mut self, at: usize, sets: &[ResultSet], wanted: &[TestId]) {
        for set in sets {
            let frame = ResultSet { tests: Vec::new(), ..set.clone() };
            self.frames.insert((at, set.suite.name.clone()), frame);
        }
        for (id, row) in rows(sets) {
            self.tests.entry(id).or_default().insert(at, Some(row.clone()));
        }
        for id in wanted {
            self.tests.entry(id.clone()).or_default().entry(at).or_insert(None);
        }
    }

    /// The same binary has the same verdicts.
    pub(super) fn copy(&mut self, from: usize, to: usize) {
        for at in self.tests.values_mut() {
            if let Some(row) = at.get(&from).cloned() {
                at.entry(to).or_insert(row);
            }
        }
        let frames: Vec<_> = self.frames.iter().filter(|((at, _), _)| *at == from).collect();
        let frames: Vec<_> =
            frames.into_iter().map(|((_, name), set)| ((to, name.clone()), set.clone())).collect();
        self.frames.extend(frames);
    }

    /// The tests of a suite that were looked for anywhere.
    pub(super) fn of_suite(&self, suite: &str) -> Vec<TestId> {
        self.tests.keys().filter(|id| id.suite == suite).cloned().collect()
    }

    /// How many tests of `suite` have a row at `at`.
    pub(super) fn count(&self, suite: &str, at: usize) -> usize {
        let there =
            |points: &BTreeMap<usize, Option<Row>>| matches!(points.get(&at), Some(Some(_)));
        self.tests.iter().filter(|(id, points)| id.suite == suite && there(points)).count()
    }

    /// Whether something is known of `id` at `at`.
    pub(super) fn knows(&self, id: &TestId, at: usize) -> bool {
        self.tests.get(id).is_some_and(|points| points.contains_key(&at))
    }

    /// Two of the points `built`, and tests that differ there, while nothing is
    /// known of them at those between, of which there is at least one. Tests
    /// known to be flaky are left out.
    pub(super) fn apart(&self, built: &[usize]) -> Option<(usize, usize, Vec<TestId>)> {
        let mut gaps: BTreeMap<(usize, usize), Vec<TestId>> = BTreeMap::new();
        for (id, points) in &self.tests {
            let known: Vec<(usize, &Option<Row>)> = built
                .iter()
                .enumerate()
                .filter_map(|(place, n)| points.get(n).map(|row| (place, row)))
                .collect();
            for pair in known.windows(2) {
                let [(low, a), (high, b)] = [pair[0], pair[1]];
                let flaky = [a, b].into_iter().flatten().any(|row| row.flaky);
                let differ = a.as_ref().map(key) != b.as_ref().map(key);
                if high - low > 1 && differ && !flaky {
                    gaps.entry((built[low], built[high])).or_default().push(id.clone());
                }
            }
        }
        gaps.into_iter().next().map(|((low, high), tests)| (low, high, tests))
    }

    /// What is known at both of two points, one set a suite, for each of them.
    pub(super) fn both(&self, low: usize, high: usize) -> (Vec<ResultSet>, Vec<ResultSet>) {
        let common = |(id, points): (&TestId, &BTreeMap<usize, Option<Row>>), at: usize| {
            let both = points.contains_key(&low) && points.contains_key(&high);
            let row = points.get(&at).cloned().flatten().filter(|_| both)?;
            Some((id.suite.clone(), row))
        };
        let side = |at: usize| {
            let frames = self.frames.iter().filter(|((n, _), _)| *n == at);
            let filled = frames.map(|((_, name), frame)| {
                let rows = self.tests.iter().filter_map(|entry| common(entry, at));
                let tests = rows.filter(|(suite, _)| suite == name).map(|(_, row)| row).collect();
                ResultSet { tests, ..frame.clone() }
            });
            filled.collect()
        };
        (side(low), side(high))
    }
}

/// What of a row counts when two points are compared.
fn key(row: &Row) -> (Verdict, u32, u32) {
    match row.verdict {
        Verdict::Pass => (row.verdict, 0, 0),
        verdict => (verdict, row.passed, row.failed),
    }
}
