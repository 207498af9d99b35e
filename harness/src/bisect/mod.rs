//! Which patch, commit or version changed a verdict?
//!
//! The last point's verdict is taken as the new one; a binary search finds the
//! first point from which it holds. The base is one of the points that the
//! search may ask, not one that it must: 21 points take six builds.

mod text;

use serde::Serialize;

use crate::catalogue;
use crate::qemu::Qemu;
use crate::record::results::Row;
use crate::row::{Bench, Point, Step, rows};
use crate::series::claim::{self, Claim};
use crate::suites::conformance;
use crate::suites::select::Selection;
use crate::{Error, Kind, Result, Verdict};

pub use text::{describe, text};

/// Whether a suite of ours has a test that is meant, which can be told before anything
/// is built. What others have is known when it is there.
///
/// # Errors
/// Usage.
pub fn exists(claim: &Claim) -> Result<()> {
    let name = conformance::NAME;
    let meant = |entry: &catalogue::Entry| claim.covers(name, name, &entry.case.id);
    if claim.suite() == name && !catalogue::all().iter().any(meant) {
        let what = format!("the suite {name} has no test {}", claim.pattern());
        return Err(Error::new(Kind::Usage, what).hint("`cargo xtask case list` lists them"));
    }
    Ok(())
}

/// What a point showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Seen {
    /// The test was run.
    Ran {
        /// The worst verdict of all attempts.
        verdict: Verdict,
        /// What it says.
        why: Option<String>,
        /// All attempts, if there were several.
        attempts: Vec<Verdict>,
    },
    /// The suite does not have the test there.
    Absent,
    /// It does not build.
    Broken {
        /// The compiler's first words.
        why: String,
    },
}

impl Seen {
    /// The verdict, if there is one.
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Seen::Ran { verdict, .. } => Some(*verdict),
            Seen::Absent => Some(Verdict::Missing),
            Seen::Broken { .. } => None,
        }
    }

    fn wavers(&self) -> bool {
        let Seen::Ran { attempts, .. } = self else { return false };
        attempts.windows(2).any(|pair| pair[0] != pair[1])
    }
}

/// What the search came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "found", rename_all = "kebab-case")]
pub enum Found {
    /// One point changed the verdict: the one before it differs.
    Change {
        /// Its place.
        at: usize,
    },
    /// One of several did; those before the last of them do not build.
    Among {
        /// The first suspect.
        first: usize,
        /// The last suspect.
        last: usize,
    },
    /// Every point that was tried, the first one too, has the same verdict.
    Nowhere,
    /// The verdict differs from one attempt to the next.
    Flaky {
        /// Where.
        at: usize,
    },
}

/// A search, complete.
#[derive(Clone, Debug, Serialize)]
pub struct Bisection {
    /// The test.
    pub test: String,
    /// The names of all points.
    pub points: Vec<String>,
    /// Points that were tried, in order, and what they showed last.
    pub tried: Vec<(usize, Seen)>,
    /// How many were built, or found built.
    pub builds: usize,
    /// What it came to.
    pub found: Found,
}

/// Attempts at a verdict that is not clear-cut.
const ATTEMPTS: u32 = 3;

/// Searches `points`, which must not be empty.
///
/// # Errors
/// Usage, when `claim` means no test or several; Build, when the last point
/// does not build; what the bench gives.
pub fn bisect(
    bench: &mut dyn Bench,
    points: &[Point],
    claim: &Claim,
    told: &mut dyn FnMut(&Point, &Seen),
) -> Result<Bisection> {
    let last = points.len() - 1;
    let mut search =
        Search { bench, points, claim: claim.clone(), told, tried: Vec::new(), builds: 0 };
    let id = search.name_test(last)?;
    let found = search.run(last)?;
    Ok(Bisection {
        test: id,
        points: points.iter().map(|p| p.name.clone()).collect(),
        builds: search.builds,
        tried: search.tried.into_iter().map(|t| (t.at, t.seen)).collect(),
        found,
    })
}

struct Search<'a> {
    bench: &'a mut dyn Bench,
    points: &'a [Point],
    claim: Claim,
    told: &'a mut dyn FnMut(&Point, &Seen),
    tried: Vec<Tried>,
    builds: usize,
}

struct Tried {
    at: usize,
    qemu: Option<Box<Qemu>>,
    seen: Seen,
}

impl Search<'_> {
    /// Builds the last point and makes sure that the claim means one test.
    fn name_test(&mut self, last: usize) -> Result<String> {
        self.builds += 1;
        let qemu = match self.bench.build(&self.points[last])? {
            Step::Built(qemu) => qemu,
            Step::Broken(why) => {
                let name = &self.points[last].name;
                let what =
                    format!("{name} does not build, so it has no verdict to look for: {why}");
                return Err(Error::new(Kind::Build, what));
            }
        };
        let sets = match self.bench.measure(&qemu, &self.selection(), 1) {
            // A slip of the pen is not "nothing changed it".
            Err(e) if e.kind() == Kind::NothingRan => return Err(self.not_one(Vec::new())),
            sets => sets?,
        };
        let covered =
            |id: &crate::suites::TestId| self.claim.covers(&id.suite, &id.config, &id.test);
        let mut found: Vec<_> = rows(&sets).filter(|(id, _)| covered(id)).collect();
        if found.len() != 1 {
            let names = found.iter().map(|(id, _)| claim::short(&id.suite, &id.config, &id.test));
            return Err(self.not_one(names.collect()));
        }
        let (id, row) = found.remove(0);
        let name = claim::short(&id.suite, &id.config, &id.test);
        let seen = seen(Some(row));
        self.claim = Claim::parse(&name)?;
        self.note(last, Some(qemu), seen);
        Ok(name)
    }

    fn not_one(&self, names: Vec<String>) -> Error {
        let claim = &self.claim;
        let name = &self.points[self.points.len() - 1].name;
        if names.is_empty() {
            return Error::new(Kind::Usage, format!("{name} has no test `{claim}`"))
                .hint("`cargo xtask report` and `test-svm --json` list the tests");
        }
        let what = format!("`{claim}` means {} tests; a search is for one", names.len());
        Error::new(Kind::Usage, what).hint(format!("one of: {}", names.join(", ")))
    }

    fn run(&mut self, last: usize) -> Result<Found> {
        // All depends on this one.
        self.repeat(last)?;
        let new = match self.seen(last).verdict() {
            Some(verdict) if !self.wavers(last) => verdict,
            _ => return Ok(Found::Flaky { at: last }),
        };
        // `low` has another verdict (0 stands for "before the first point"),
        // `high` and what follows have the new one; both count from 1.
        let (mut low, mut high) = (0, last + 1);
        while let Some(middle) = self.middle(low, high) {
            match self.look(middle - 1, new)? {
                None if self.broken(middle - 1) => {}
                None => return Ok(Found::Flaky { at: middle - 1 }),
                Some(verdict) if verdict == new => high = middle,
                Some(_) => low = middle,
            }
        }
        // Both sides of the change once more: a verdict that a busy machine
        // gave must not put the blame on a patch.
        for at in [low, high].into_iter().filter(|&n| n > 0).map(|n| n - 1) {
            self.repeat(at)?;
            if self.wavers(at) {
                return Ok(Found::Flaky { at });
            }
        }
        match high - low {
            _ if high == 1 => Ok(Found::Nowhere),
            1 => Ok(Found::Change { at: high - 1 }),
            _ => Ok(Found::Among { first: low, last: high - 1 }),
        }
    }

    /// The point between `low` and `high`, nearest to the middle, of which
    /// nothing is known yet.
    fn middle(&self, low: usize, high: usize) -> Option<usize> {
        let middle = usize::midpoint(low, high);
        let open = (low + 1..high).filter(|&n| !self.broken(n - 1));
        open.min_by_key(|&n| n.abs_diff(middle))
    }

    /// Builds and measures a point. None when it is broken or wavers.
    fn look(&mut self, at: usize, new: Verdict) -> Result<Option<Verdict>> {
        self.builds += 1;
        match self.bench.build(&self.points[at])? {
            Step::Broken(why) => self.note(at, None, Seen::Broken { why }),
            Step::Built(qemu) => {
                let seen = self.measure(&qemu, 1)?;
                self.note(at, Some(qemu), seen);
            }
        }
        let Some(verdict) = self.seen(at).verdict() else { return Ok(None) };
        let accident = matches!(verdict, Verdict::Crash | Verdict::Timeout);
        let third = self.other(new).is_some_and(|other| verdict != new && verdict != other);
        if accident || third { self.settled(at) } else { Ok(Some(verdict)) }
    }

    /// A verdict that differs from the new one, seen at the oldest point so far.
    fn other(&self, new: Verdict) -> Option<Verdict> {
        let others = self.tried.iter().filter(|t| t.seen.verdict().is_some_and(|v| v != new));
        others.min_by_key(|t| t.at).and_then(|t| t.seen.verdict())
    }

    /// The verdict of a point that was built, tried again. None when it wavers.
    fn settled(&mut self, at: usize) -> Result<Option<Verdict>> {
        self.repeat(at)?;
        Ok(if self.wavers(at) { None } else { self.seen(at).verdict() })
    }

    fn repeat(&mut self, at: usize) -> Result<()> {
        let Some(tried) = self.tried.iter_mut().find(|t| t.at == at) else { return Ok(()) };
        let enough = matches!(&tried.seen, Seen::Ran { attempts, .. } if attempts.len() > 1);
        let Some(qemu) = tried.qemu.take().filter(|_| !enough) else { return Ok(()) };
        let seen = self.measure(&qemu, ATTEMPTS)?;
        self.note(at, Some(qemu), seen);
        Ok(())
    }

    fn measure(&mut self, qemu: &Qemu, repeat: u32) -> Result<Seen> {
        let what = self.selection();
        let sets = match self.bench.measure(qemu, &what, repeat) {
            // No suite has it: not an error half-way, it may be newer.
            Err(e) if e.kind() == Kind::NothingRan => Vec::new(),
            sets => sets?,
        };
        let claim = &self.claim;
        let row = rows(&sets).find(|(id, _)| claim.covers(&id.suite, &id.config, &id.test));
        Ok(seen(row.map(|(_, row)| row)))
    }

    fn selection(&self) -> Selection {
        Selection {
            tests: vec![self.claim.pattern().to_string()],
            suites: vec![self.claim.suite().to_string()],
            ..Selection::default()
        }
    }

    fn note(&mut self, at: usize, qemu: Option<Box<Qemu>>, seen: Seen) {
        (self.told)(&self.points[at], &seen);
        match self.tried.iter_mut().find(|t| t.at == at) {
            Some(tried) => *tried = Tried { at, qemu, seen },
            None => self.tried.push(Tried { at, qemu, seen }),
        }
    }

    fn seen(&self, at: usize) -> &Seen {
        self.tried.iter().find(|t| t.at == at).map_or(&Seen::Absent, |t| &t.seen)
    }

    fn broken(&self, at: usize) -> bool {
        matches!(self.seen(at), Seen::Broken { .. })
    }

    fn wavers(&self, at: usize) -> bool {
        self.seen(at).wavers()
    }
}

fn seen(row: Option<&Row>) -> Seen {
    row.map_or(Seen::Absent, |row| Seen::Ran {
        verdict: row.verdict,
        why: row.why.clone(),
        attempts: row.attempts.clone(),
    })
}

#[cfg(test)]
mod tests;
