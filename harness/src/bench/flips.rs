//! What changed between two QEMUs, with accidents sorted out.

use super::{Bench, rows};
use crate::Result;
use crate::diff::{Basis, Change, Flip, compare};
use crate::qemu::Qemu;
use crate::results::ResultSet;
use crate::select::Selection;
use crate::suite::TestId;

/// A QEMU and its verdicts.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The binary.
    pub qemu: Qemu,
    /// One set a suite.
    pub sets: Vec<ResultSet>,
}

/// Attempts at a verdict that may be an accident.
const ATTEMPTS: u32 = 3;

/// What changed. A test that got worse is tried again on both sides, since a
/// busy machine makes tests time out.
///
/// # Errors
/// What the bench gives.
pub fn flips(bench: &mut dyn Bench, before: &Measured, after: &Measured) -> Result<Vec<Flip>> {
    let mut flips = changed(&before.sets, &after.sets);
    let worse = |f: &&mut Flip| matches!(f.change, Change::Regressed | Change::Gone);
    for flip in flips.iter_mut().filter(worse) {
        let what = only(std::slice::from_ref(&flip.id));
        let old = bench.measure(&before.qemu, &what, ATTEMPTS)?;
        let new = bench.measure(&after.qemu, &what, ATTEMPTS)?;
        let wavers = |sets: &[ResultSet]| rows(sets).any(|(_, row)| row.wavers());
        if wavers(&old) || wavers(&new) {
            flip.change = Change::Flaky;
        }
    }
    Ok(flips)
}

/// Exactly these tests.
pub fn only(ids: &[TestId]) -> Selection {
    let tests = ids.iter().map(|id| format!("{}/{}", id.config, id.test)).collect();
    let mut suites: Vec<String> = ids.iter().map(|id| id.suite.clone()).collect();
    suites.sort();
    suites.dedup();
    Selection { tests, suites, ..Selection::default() }
}

/// What differs between the suites that both sides ran.
pub fn changed(before: &[ResultSet], after: &[ResultSet]) -> Vec<Flip> {
    let mut flips = Vec::new();
    for new in after {
        if let Some(old) = before.iter().find(|s| s.suite.name == new.suite.name) {
            flips.extend(compare(Basis::Series, old, new).flips);
        }
    }
    flips
}
