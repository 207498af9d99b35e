//! What changed between two QEMUs, with accidents sorted out.

use std::collections::BTreeSet;

use super::{Bench, rows};
use crate::qemu::Qemu;
use crate::record::diff::{Basis, Change, Flip, compare};
use crate::record::results::ResultSet;
use crate::suites::TestId;
use crate::suites::select::Selection;
use crate::{Kind, Result};

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

/// What changed. A test that got worse, or passes now, is tried again on both
/// sides, since a busy machine makes tests time out and a lucky one lets them
/// pass.
///
/// # Errors
/// What the bench gives.
pub fn flips(bench: &mut dyn Bench, before: &Measured, after: &Measured) -> Result<Vec<Flip>> {
    let mut flips = changed(&before.sets, &after.sets);
    let unsteady = unsteady(bench, &before.qemu, &after.qemu, &flips, Vec::new())?;
    for flip in flips.iter_mut().filter(|f| unsteady.contains(&f.id)) {
        flip.change = Change::Flaky;
    }
    Ok(flips)
}

/// Of tests that got worse or pass now, and of `others`, those that do not end
/// the same each time on one of two QEMUs.
///
/// # Errors
/// What the bench gives.
pub fn unsteady(
    bench: &mut dyn Bench,
    before: &Qemu,
    after: &Qemu,
    flips: &[Flip],
    others: Vec<TestId>,
) -> Result<BTreeSet<TestId>> {
    let doubtful = |f: &&Flip| matches!(f.change, Change::Regressed | Change::Gone | Change::Fixed);
    let mut ids: Vec<TestId> = flips.iter().filter(doubtful).map(|f| f.id.clone()).collect();
    ids.extend(others);
    ids.sort();
    ids.dedup();
    let mut unsteady = BTreeSet::new();
    if ids.is_empty() {
        return Ok(unsteady);
    }
    for qemu in [before, after] {
        let sets = match bench.measure(qemu, &only(&ids), ATTEMPTS) {
            Err(e) if e.kind() == Kind::NothingRan => Vec::new(),
            sets => sets?,
        };
        let wavering = rows(&sets).filter(|(_, row)| row.wavers()).map(|(id, _)| id);
        unsteady.extend(wavering.filter(|id| ids.contains(id)));
    }
    Ok(unsteady)
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
