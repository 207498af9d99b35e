//! Holds what changed at one patch against what was claimed. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fault, Verified};
use crate::Verdict;
use crate::record::diff::{Change, Flip};
use crate::record::results::{ResultSet, Row};
use crate::row::rows;
use crate::series::claim::{self, Claim};
use crate::suites::TestId;

/// What is known on both sides of a patch.
pub(super) struct Sides<'a> {
    /// Without it.
    pub(super) before: &'a [ResultSet],
    /// With it.
    pub(super) after: &'a [ResultSet],
    /// Tests that ended differently when they were tried again.
    pub(super) wavering: &'a BTreeSet<TestId>,
}

/// What `series.toml` says of the patch, of what was measured.
pub(super) struct Said {
    /// Passes from here on.
    pub(super) flips: Vec<Claim>,
    /// Fails from here on.
    pub(super) fails: Vec<Claim>,
}

impl Sides<'_> {
    fn unsteady(&self, id: &TestId, row: &Row) -> bool {
        row.flaky || row.wavers() || self.wavering.contains(id)
    }
}

/// Fills in everything but the build.
pub(super) fn judge(verified: &mut Verified, said: &Said, sides: &Sides<'_>, flips: &[Flip]) {
    let old: BTreeMap<TestId, &Row> = rows(sides.before).collect();
    let passed = |id: &TestId| old.get(id).is_some_and(|row| row.verdict == Verdict::Pass);
    for claim in &said.flips {
        let tests: Vec<_> = rows(sides.after).filter(|(id, _)| claim.means(id)).collect();
        if tests.is_empty() {
            verified.faults.push(Fault::Unknown { claim: claim.to_string() });
            continue;
        }
        for (id, row) in tests.iter().filter(|(_, row)| row.verdict != Verdict::Pass) {
            let (test, verdict, why) = (claim::name(id), row.verdict, row.why.clone());
            if sides.unsteady(id, row) {
                verified.notes.push(format!(
                    "{test} should pass from here on, and does not each time it runs: {verdict}"
                ));
            } else {
                let claim = claim.to_string();
                verified.faults.push(Fault::NotFlipped { claim, test, verdict, why });
            }
        }
        let steady = |(id, _): &(TestId, &Row)| {
            passed(id) && !old.get(id).is_some_and(|row| sides.unsteady(id, row))
        };
        if tests.iter().all(steady) {
            verified.faults.push(Fault::Early { claim: claim.to_string() });
        }
    }
    for claim in &said.fails {
        let mut tests = rows(sides.after).filter(|(id, _)| claim.means(id)).peekable();
        if tests.peek().is_none() {
            verified.faults.push(Fault::Unknown { claim: claim.to_string() });
        } else if tests.any(|(id, row)| row.verdict == Verdict::Pass && !sides.unsteady(&id, row)) {
            verified.faults.push(Fault::NotFailed { claim: claim.to_string() });
        }
    }
    for flip in flips {
        record(verified, flip, said);
    }
}

/// Whether a test that lacked what it needs fails now that it has it.
fn begins(flip: &Flip) -> bool {
    let verdict = |row: &Option<Row>| row.as_ref().map(|row| row.verdict);
    (verdict(&flip.from), verdict(&flip.to)) == (Some(Verdict::Skip), Some(Verdict::Fail))
}

fn record(verified: &mut Verified, flip: &Flip, said: &Said) {
    let test = claim::name(&flip.id);
    let why = flip.row().and_then(|row| row.why.clone());
    let to = flip.to.as_ref().map(|row| row.verdict);
    match flip.change {
        Change::Fixed => {
            if !said.flips.iter().any(|c| c.means(&flip.id)) {
                verified.faults.push(Fault::Unclaimed { test: test.clone() });
            }
            verified.flipped.push(test);
        }
        // A processor with the feature is new here, so nothing that worked is worse; whether
        // it is right in the end is told by the patch that says so, and by what is recorded.
        Change::Regressed if begins(flip) => {
            let why = why.map_or(String::new(), |why| format!(": {why}"));
            verified.notes.push(format!("{test} can be run from here on, and fails{why}"));
        }
        Change::Regressed | Change::Gone => {
            let from = flip.from.as_ref().map_or(Verdict::Missing, |row| row.verdict);
            if said.fails.iter().any(|c| c.means(&flip.id)) {
                let why = why.map_or(String::new(), |why| format!(": {why}"));
                verified.notes.push(format!("{test} fails from here on, as series.toml says{why}"));
            } else {
                verified.faults.push(Fault::Worse { test, from, to, why });
            }
        }
        Change::Improved | Change::Changed | Change::New => {
            let to = to.map_or("gone", Verdict::name);
            let why = why.map_or(String::new(), |why| format!(": {why}"));
            verified.notes.push(format!("{test} {}: {to}{why}", flip.change.name()));
        }
        Change::Flaky => verified.notes.push(format!("{test} is flaky: another verdict each time")),
    }
}
