//! Does each patch do what `series.toml` says, and nothing worse?
//!
//! Quick suites run whole at every patch. The others run whole where the walk
//! begins and ends and where a part of the series ends; between, only the tests
//! that a patch names are measured, without it and with it, and those that
//! differ from one whole run to the next, until it is known where they change.

mod fault;
mod judge;
mod seen;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Series;
use super::claim::Claim;
use crate::host::console::Console;
use crate::qemu::Qemu;
use crate::record::diff::Change;
use crate::record::results::ResultSet;
use crate::row::{Bench, Point, Step, changed, only, rows, unsteady};
use crate::suites::select::Selection;
use crate::suites::{SUITES, TestId, WHOLE};
use crate::suites::{
    conformance, hostile, kvm_selftests, kvm_unit_tests, migration, qemu_tests, refusals, rules,
    xen,
};
use crate::{Error, Kind, Result, Verdict};
use judge::Sides;
use seen::Seen;

pub use fault::Fault;

/// Suites that take seconds, and run whole at every patch.
const QUICK: [&str; 1] = [conformance::NAME];
/// Suites that run only where claims name their tests: a feature's tests there
/// pass with the first patch that offers it.
const NAMED: &[&str] = &[
    migration::suite::NAME,
    rules::NAME,
    kvm_unit_tests::OTHERS,
    hostile::NAME,
    refusals::NAME,
    xen::NAME,
    xen::kvm::NAME,
    kvm_selftests::NAME,
    qemu_tests::NAME,
];

/// What is to be verified.
#[derive(Clone, Debug)]
pub struct Request {
    /// The first patch, from 1.
    pub from: usize,
    /// The last patch.
    pub to: usize,
    /// The suites; none for all.
    pub suites: Vec<String>,
    /// Run every suite whole at every patch.
    pub thorough: bool,
    /// Attempts at each test.
    pub repeat: u32,
}

impl Request {
    /// Refuses patches that a series of `last` has not got.
    ///
    /// # Errors
    /// Usage.
    pub fn check(&self, last: usize) -> Result<()> {
        let (from, to) = (self.from, self.to);
        if from == 0 || from > to || to > last {
            let what = format!("verifying patches {from} to {to} of {last}");
            return Err(Error::new(Kind::Usage, what).hint("--from and --to count from 1"));
        }
        Ok(())
    }

    /// Whether nothing is left out of a series of `last` patches.
    pub fn is_whole(&self, last: usize) -> bool {
        self.from == 1 && self.to == last && self.suites.is_empty()
    }
}

/// A walk along a series.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Walk {
    /// The patches, in order.
    pub patches: Vec<Verified>,
    /// What was measured where.
    pub coverage: Vec<Coverage>,
}

/// One patch, verified.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verified {
    /// Its number, from 1.
    pub number: usize,
    /// Its file.
    pub file: String,
    /// How many tests of each suite were measured without it and with it.
    pub measured: BTreeMap<String, usize>,
    /// Tests that pass from here on.
    pub flipped: Vec<String>,
    /// Other changes that count for nothing: nearer to a pass, or flaky.
    pub notes: Vec<String>,
    /// What is not as it should be.
    pub faults: Vec<Fault>,
}

/// Where a suite was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Its name and version.
    pub suite: String,
    /// Its tests.
    pub tests: usize,
    /// The points at which all of them were measured.
    pub whole: Vec<String>,
    /// At how many points there are.
    pub points: usize,
    /// Tests that were measured at other points, too.
    pub elsewhere: usize,
}

/// Walks along `points`, which are those of `series`. Each patch is told to
/// `told` as soon as its part of the series is measured.
///
/// # Errors
/// Build, when the point before the first does not build; what the bench gives.
pub fn verify(
    bench: &mut dyn Bench,
    console: &Console,
    series: &Series,
    points: &[Point],
    request: &Request,
    mut told: impl FnMut(&Verified),
) -> Result<Walk> {
    let mut walker = Walker {
        bench,
        series,
        request,
        ends: ends(series, request),
        qemus: BTreeMap::new(),
        seen: Seen::default(),
        whole: BTreeMap::new(),
        versions: BTreeMap::new(),
    };
    let mut broken: BTreeMap<usize, String> = BTreeMap::new();
    let mut patches = Vec::new();
    let start = request.from - 1;
    let mut begun = start;
    for (n, point) in points.iter().enumerate().take(request.to + 1).skip(start) {
        console.step(format_args!("{n}/{} {}", series.patches.len(), point.name));
        match walker.bench.build(point)? {
            Step::Built(qemu) => walker.arrive(n, *qemu)?,
            Step::Broken(why) if n == start => {
                return Err(Error::new(
                    Kind::Build,
                    format!("{} does not build: {why}", point.name),
                ));
            }
            Step::Broken(why) => {
                broken.insert(n, why);
            }
        }
        if n > start && walker.ends.contains(&n) {
            walker.place(begun, n)?;
            for number in begun + 1..=n {
                let verified = walker.judge(number, broken.remove(&number))?;
                told(&verified);
                patches.push(verified);
            }
            begun = n;
        }
    }
    Ok(Walk { patches, coverage: walker.coverage(points) })
}

/// Where suites that are not quick run whole: before the first patch, behind
/// the last, and where a part ends.
fn ends(series: &Series, request: &Request) -> BTreeSet<usize> {
    let within = request.from..request.to;
    let parts = series.patches.iter().enumerate().filter(|(_, p)| p.entry.part.is_some());
    let mut ends: BTreeSet<usize> = parts.map(|(n, _)| n).filter(|n| within.contains(n)).collect();
    ends.extend([request.from - 1, request.to]);
    ends
}

struct Walker<'a> {
    bench: &'a mut dyn Bench,
    series: &'a Series,
    request: &'a Request,
    ends: BTreeSet<usize>,
    /// The points that build, by place.
    qemus: BTreeMap<usize, Qemu>,
    seen: Seen,
    /// Where each suite was measured whole.
    whole: BTreeMap<String, BTreeSet<usize>>,
    versions: BTreeMap<String, String>,
}

impl Walker<'_> {
    /// Measures at a point that builds what must be known there at once.
    fn arrive(&mut self, n: usize, qemu: Qemu) -> Result<()> {
        let before = self.qemus.last_key_value().map(|(&p, q)| (p, q.digest == qemu.digest));
        let begin = before.map_or(n, |(p, _)| p);
        let claims = self.series.patches[begin..n].iter().flat_map(|x| x.entry.claims());
        let named: Vec<Claim> = claims.filter(|c| !self.is_quick(c.suite())).cloned().collect();
        if let Some((p, _)) = before {
            self.named(p, &named)?;
        }
        self.qemus.insert(n, qemu);
        match before {
            Some((p, true)) => {
                self.seen.copy(p, n);
                for whole in self.whole.values_mut().filter(|w| w.contains(&p)) {
                    whole.insert(n);
                }
            }
            _ => self.all(n, true)?,
        }
        self.named(n, &named)?;
        if self.ends.contains(&n) {
            self.all(n, false)?;
        }
        Ok(())
    }

    fn is_quick(&self, suite: &str) -> bool {
        self.request.thorough || QUICK.contains(&suite)
    }

    /// All tests of the quick suites, or of the others.
    fn all(&mut self, n: usize, quick: bool) -> Result<()> {
        let chosen = |s: &&str| {
            let asked = &self.request.suites;
            asked.is_empty() || asked.iter().any(|a| a == s)
        };
        let names = SUITES.iter().map(|(name, _)| *name).filter(chosen);
        let names =
            names.filter(|s| self.request.suites.iter().any(|a| a == s) || !NAMED.contains(s));
        let suites: Vec<String> =
            names.filter(|s| self.is_quick(s) == quick).map(str::to_string).collect();
        if suites.is_empty() {
            return Ok(());
        }
        // A unit run whole repeats its tests, and takes minutes.
        let what = Selection {
            tests: vec![format!("!{WHOLE}")],
            suites: suites.clone(),
            ..Selection::default()
        };
        let sets = self.measure(n, &what)?;
        for set in &sets {
            let known = self.seen.of_suite(&set.suite.name);
            self.seen.take(n, std::slice::from_ref(set), &known);
            self.whole.entry(set.suite.name.clone()).or_default().insert(n);
        }
        Ok(())
    }

    /// The tests that claims name.
    fn named(&mut self, n: usize, claims: &[Claim]) -> Result<()> {
        let asked = &self.request.suites;
        let claims: Vec<&Claim> = claims
            .iter()
            .filter(|c| asked.is_empty() || asked.iter().any(|a| a == c.suite()))
            .collect();
        let suites: BTreeSet<&str> = claims.iter().map(|c| c.suite()).collect();
        for suite in suites.into_iter().map(str::to_string) {
            let tests = claims.iter().filter(|c| c.suite() == suite).map(|c| c.pattern().into());
            let what = Selection {
                tests: tests.collect(),
                suites: vec![suite.clone()],
                ..Selection::default()
            };
            let sets = self.measure(n, &what)?;
            self.seen.take(n, &sets, &[]);
        }
        Ok(())
    }

    fn measure(&mut self, n: usize, what: &Selection) -> Result<Vec<ResultSet>> {
        let sets = match self.bench.measure(&self.qemus[&n], what, self.request.repeat) {
            // A claim may name what no suite has; that is said where it is judged.
            Err(e) if e.kind() == Kind::NothingRan => Vec::new(),
            sets => sets?,
        };
        for set in &sets {
            self.versions.insert(set.suite.name.clone(), set.suite.version.clone());
        }
        Ok(sets)
    }

    /// Measures tests that differ between two points, until for each change the
    /// two points that it lies between are neighbours.
    fn place(&mut self, first: usize, last: usize) -> Result<()> {
        loop {
            let built: Vec<usize> = self.qemus.range(first..=last).map(|(&n, _)| n).collect();
            let Some((low, high, tests)) = self.seen.apart(&built) else { return Ok(()) };
            let between = built.into_iter().filter(|n| (low + 1..high).contains(n));
            let between: Vec<usize> = between.collect();
            let middle = between[between.len() / 2];
            let sets = self.measure(middle, &only(&tests))?;
            self.seen.take(middle, &sets, &tests);
        }
    }

    /// One patch, from what was measured before it and with it.
    fn judge(&mut self, number: usize, broken: Option<String>) -> Result<Verified> {
        let entry = &self.series.patches[number - 1].entry;
        let mut verified = Verified { number, file: entry.file.clone(), ..Verified::default() };
        if let Some(why) = broken {
            verified.faults.push(Fault::Broken { why });
            return Ok(verified);
        }
        let Some((&low, old)) = self.qemus.range(..number).next_back() else { return Ok(verified) };
        let (old, new) = (old.clone(), self.qemus[&number].clone());
        let (before, after) = self.seen.both(low, number);
        let mut flips = changed(&before, &after);
        let measured = |claims: &[Claim]| -> Vec<Claim> {
            claims.iter().filter(|c| self.measured(c)).cloned().collect()
        };
        let said = judge::Said { flips: measured(&entry.flips), fails: measured(&entry.fails) };
        let failing = rows(&after).filter(|(id, row)| {
            row.verdict != Verdict::Pass && said.flips.iter().any(|c| c.means(id))
        });
        let doubtful: Vec<TestId> = failing.map(|(id, _)| id).collect();
        let wavering = unsteady(self.bench, &old, &new, &flips, doubtful)?;
        for flip in flips.iter_mut().filter(|f| wavering.contains(&f.id)) {
            flip.change = Change::Flaky;
        }
        for set in &after {
            verified.measured.insert(set.suite.name.clone(), set.tests.len());
        }
        let sides = Sides { before: &before, after: &after, wavering: &wavering };
        judge::judge(&mut verified, &said, &sides, &flips);
        Ok(verified)
    }

    /// Whether the claim's suite is there and asked for.
    fn measured(&self, claim: &Claim) -> bool {
        self.versions.contains_key(claim.suite())
    }

    fn coverage(&self, points: &[Point]) -> Vec<Coverage> {
        let name = |n: &usize| points[*n].name.clone();
        let of = |(suite, version): (&String, &String)| {
            let whole = self.whole.get(suite).cloned().unwrap_or_default();
            let elsewhere = self.seen.of_suite(suite).into_iter().filter(|id| {
                self.qemus.keys().any(|n| !whole.contains(n) && self.seen.knows(id, *n))
            });
            Coverage {
                suite: format!("{suite} {version}"),
                tests: whole.iter().map(|n| self.seen.count(suite, *n)).max().unwrap_or(0),
                elsewhere: elsewhere.count(),
                points: self.qemus.len(),
                whole: whole.iter().map(name).collect(),
            }
        };
        self.versions.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests;
