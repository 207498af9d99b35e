//! One test on every build.

use svm_model::Feature;

use crate::Verdict;
use crate::record::results::Row;

/// One test's results, by the position of the build.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// The feature that the newest build's results give it.
    pub feature: Option<Feature>,
    /// None where the build has no result of it.
    pub rows: Vec<Option<&'a Row>>,
}

/// Since when a test has been failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// The first build in which it failed and after which it never passed.
    pub first: usize,
    /// The last build before that in which it passed.
    pub passed: Option<usize>,
}

/// Whether a verdict says that something does not work. A test that was
/// skipped says nothing.
pub fn fails(verdict: Verdict) -> bool {
    !matches!(verdict, Verdict::Pass | Verdict::Skip)
}

impl<'a> Line<'a> {
    pub(super) fn new(builds: usize) -> Self {
        Line { feature: None, rows: vec![None; builds] }
    }

    pub(super) fn put(&mut self, at: usize, row: &'a Row) {
        self.feature = row.feature;
        self.rows[at] = Some(row);
    }

    /// `before` are the builds of `at`'s lane, the newest first.
    pub(super) fn since(&self, at: usize, before: impl Iterator<Item = usize>) -> Option<Since> {
        self.rows[at].filter(|row| fails(row.verdict))?;
        let mut since = Since { first: at, passed: None };
        for (n, row) in before.filter_map(|n| Some((n, self.rows[n]?))) {
            match row.verdict {
                Verdict::Pass => {
                    since.passed = Some(n);
                    break;
                }
                verdict if fails(verdict) => since.first = n,
                _ => {}
            }
        }
        Some(since)
    }
}
