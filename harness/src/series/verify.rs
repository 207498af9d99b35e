//! Does each patch do what `series.toml` says, and nothing worse?

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::Series;
use super::claim::{self, Claim};
use crate::bench::{Bench, Measured, Point, Step, flips, rows};
use crate::console::Console;
use crate::diff::{Change, Flip};
use crate::qemu::Qemu;
use crate::results::{ResultSet, Row};
use crate::select::Selection;
use crate::suite::TestId;
use crate::{Error, Kind, Result, Verdict};

/// What is to be verified.
#[derive(Clone, Debug)]
pub struct Request {
    /// The first patch, from 1.
    pub from: usize,
    /// The last patch.
    pub to: usize,
    /// Which tests run at every step.
    pub selection: Selection,
    /// Attempts at each test.
    pub repeat: u32,
}

/// What is not as `series.toml` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// The tree does not build at this patch.
    Broken {
        /// The compiler's first words.
        why: String,
    },
    /// A named test does not pass with the patch.
    NotFlipped {
        /// The test.
        test: String,
        /// How it ends.
        verdict: Verdict,
        /// What it says.
        why: Option<String>,
    },
    /// A named test, or all of a family, passes without the patch already.
    Early {
        /// As `series.toml` names it.
        claim: String,
    },
    /// No test has the name.
    Unknown {
        /// As `series.toml` names it.
        claim: String,
    },
    /// A test gets worse.
    Worse {
        /// The test.
        test: String,
        /// How it ended before; none for a test that was not there.
        from: Verdict,
        /// How it ends now; none for a test that is gone.
        to: Option<Verdict>,
        /// What it says.
        why: Option<String>,
    },
    /// A test passes from here on, and `series.toml` does not say so.
    Unclaimed {
        /// The test.
        test: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because =
            |why: &Option<String>| why.as_ref().map_or(String::new(), |w| format!(": {w}"));
        match self {
            Fault::Broken { why } => write!(f, "it does not build: {why}"),
            Fault::NotFlipped { test, verdict, why } => {
                write!(f, "{test} should pass from here on; {verdict}{}", because(why))
            }
            Fault::Early { claim } => write!(f, "{claim} passes without the patch already"),
            Fault::Unknown { claim } => write!(f, "no test is named {claim}"),
            Fault::Worse { test, from, to, why } => {
                let to = to.map_or("gone", Verdict::name);
                write!(f, "{test} gets worse, from {from} to {to}{}", because(why))
            }
            Fault::Unclaimed { test } => {
                write!(f, "{test} passes from here on, and series.toml does not say so")
            }
        }
    }
}

/// One patch, verified.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// Its number, from 1.
    pub number: usize,
    /// Its file.
    pub file: String,
    /// Tests that pass from here on.
    pub flipped: Vec<String>,
    /// Other changes that count for nothing: nearer to a pass, or flaky.
    pub notes: Vec<String>,
    /// What is not as it should be.
    pub faults: Vec<Fault>,
}

/// Walks along `points`, which are those of `series`. Each patch is told to
/// `seen` as soon as it is verified.
///
/// # Errors
/// Build, when the point before the first does not build; what the bench gives.
pub fn verify(
    bench: &mut dyn Bench,
    console: &Console,
    series: &Series,
    points: &[Point],
    request: &Request,
    mut seen: impl FnMut(&Verified),
) -> Result<Vec<Verified>> {
    let start = &points[request.from - 1];
    let mut before = match bench.build(start)? {
        Step::Built(qemu) => measure(bench, *qemu, request)?,
        Step::Broken(why) => {
            return Err(Error::new(Kind::Build, format!("{} does not build: {why}", start.name)));
        }
    };
    let mut all = Vec::new();
    for (number, point) in points.iter().enumerate().take(request.to + 1).skip(request.from) {
        let patch = &series.patches[number - 1];
        console.step(format_args!("{number}/{} {}", series.patches.len(), patch.entry.title));
        let mut verified = Verified {
            number,
            file: patch.entry.file.clone(),
            flipped: Vec::new(),
            notes: Vec::new(),
            faults: Vec::new(),
        };
        match bench.build(point)? {
            Step::Broken(why) => verified.faults.push(Fault::Broken { why }),
            Step::Built(qemu) => {
                let after = measure(bench, *qemu, request)?;
                let flips = flips(bench, &before, &after)?;
                judge(&mut verified, &patch.entry.flips, &before.sets, &after.sets, flips);
                before = after;
            }
        }
        seen(&verified);
        all.push(verified);
    }
    Ok(all)
}

fn measure(bench: &mut dyn Bench, qemu: Qemu, request: &Request) -> Result<Measured> {
    let sets = bench.measure(&qemu, &request.selection, request.repeat)?;
    Ok(Measured { qemu, sets })
}

/// Holds what changed against what was claimed.
fn judge(
    verified: &mut Verified,
    claims: &[Claim],
    before: &[ResultSet],
    after: &[ResultSet],
    flips: Vec<Flip>,
) {
    let old: BTreeMap<TestId, &Row> = rows(before).collect();
    for claim in claims {
        let covered = |id: &TestId| claim.covers(&id.suite, &id.config, &id.test);
        let tests: Vec<_> = rows(after).filter(|(id, _)| covered(id)).collect();
        if tests.is_empty() {
            verified.faults.push(Fault::Unknown { claim: claim.to_string() });
            continue;
        }
        for (id, row) in tests.iter().filter(|(_, row)| row.verdict != Verdict::Pass) {
            let (test, verdict, why) = (name(id), row.verdict, row.why.clone());
            verified.faults.push(Fault::NotFlipped { test, verdict, why });
        }
        let passed = |id: &TestId| old.get(id).is_some_and(|row| row.verdict == Verdict::Pass);
        if tests.iter().all(|(id, _)| passed(id)) {
            verified.faults.push(Fault::Early { claim: claim.to_string() });
        }
    }
    for flip in flips {
        let claimed =
            claims.iter().any(|c| c.covers(&flip.id.suite, &flip.id.config, &flip.id.test));
        record(verified, &flip, claimed);
    }
}

fn record(verified: &mut Verified, flip: &Flip, claimed: bool) {
    let test = name(&flip.id);
    let why = flip.row().and_then(|row| row.why.clone());
    let to = flip.to.as_ref().map(|row| row.verdict);
    match flip.change {
        Change::Fixed => {
            if !claimed {
                verified.faults.push(Fault::Unclaimed { test: test.clone() });
            }
            verified.flipped.push(test);
        }
        Change::Regressed | Change::Gone => {
            let from = flip.from.as_ref().map_or(Verdict::Missing, |row| row.verdict);
            verified.faults.push(Fault::Worse { test, from, to, why });
        }
        Change::Improved | Change::Changed | Change::New => {
            let to = to.map_or("gone", Verdict::name);
            let why = why.map_or(String::new(), |why| format!(": {why}"));
            verified.notes.push(format!("{test} {}: {to}{why}", flip.change.name()));
        }
        Change::Flaky => verified.notes.push(format!("{test} is flaky: another verdict each time")),
    }
}

fn name(id: &TestId) -> String {
    claim::short(&id.suite, &id.config, &id.test)
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
