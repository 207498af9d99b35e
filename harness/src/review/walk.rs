//! Builds at every patch, runs where it matters.
//!
//! All tests run on the base and with the whole series. What differs is looked
//! for between: each step measures only tests that are not placed yet. Points
//! with the same binary are one point.

use std::collections::BTreeMap;

use super::{
    Builds, Companion, CompanionVerdict, Flipped, Request, Review, SuiteSummary, Tally, executed,
    rules, scope,
};
use crate::mail::Mail;
use crate::qemu::Qemu;
use crate::qemu::build::patch::Patch;
use crate::record::diff::{Change, Flip};
use crate::record::results::{ResultSet, Row};
use crate::row::{Bench, Measured, Point, Step, flips, only, rows, touched};
use crate::series::claim;
use crate::suites::TestId;
use crate::suites::conformance::NAME;
use crate::{Env, Error, Kind, Result, Verdict};

/// A point that was built: its place in the row (0 is the base).
pub(super) struct Built {
    pub(super) at: usize,
    pub(super) qemu: Qemu,
}

/// Fills in what building and running show.
pub(super) fn walk(
    env: &Env,
    bench: &mut dyn Bench,
    request: &Request,
    points: &[Point],
    mails: &[Mail],
    review: &mut Review,
) -> Result<()> {
    review.unmeasured = irrelevant(request, mails);
    if review.unmeasured.is_some() {
        return Ok(());
    }
    let built = build(env, bench, points, review)?;
    features(bench, &built, review)?;
    companions(bench, points, &built, mails, review)?;
    review.unmeasured = why_not(request, &built);
    if review.unmeasured.is_some() {
        return Ok(());
    }
    Search { bench: &mut *bench, request, built: &built, review, seen: BTreeMap::new() }
        .run(env)?;
    let selection = &request.selection;
    if request.rules && selection.suite(NAME) && selection.takes_whole_suites() {
        rules::walk(env, bench, &built, review)?;
    }
    if request.lines {
        let whole = matches!(built.last(), Some(last) if last.at == points.len() - 1);
        lines(bench, request, whole.then(|| &points[points.len() - 1]), review)?;
    }
    Ok(())
}

/// Which changed lines run with the whole series, if that was built.
fn lines(
    bench: &mut dyn Bench,
    request: &Request,
    tip: Option<&Point>,
    review: &mut Review,
) -> Result<()> {
    let not = |why: String| format!("which lines run was not counted: {why}");
    let Some(tip) = tip else {
        review.notes.push(not("the whole series does not build".into()));
        return Ok(());
    };
    let counted = match bench.lines(tip, &request.selection, executed::FOLDER) {
        // What was measured without counters is worth telling all the same.
        Err(e) if e.kind() == Kind::Build => {
            review.notes.push(not(e.to_string()));
            return Ok(());
        }
        counted => counted?,
    };
    if let Some(lines) = counted {
        let after: Vec<Patch> =
            tip.spec.patches.iter().map(|p| Patch::read(p)).collect::<Result<_>>()?;
        let changed = touched(&tip.spec.source, &request.before, &after, executed::FOLDER)?;
        review.executed = Some(executed::executed(&changed, &lines));
    }
    Ok(())
}

/// Builds each point in turn; the base must build.
fn build(
    env: &Env,
    bench: &mut dyn Bench,
    points: &[Point],
    review: &mut Review,
) -> Result<Vec<Built>> {
    let mut built: Vec<Built> = Vec::new();
    for (at, point) in points.iter().enumerate() {
        env.console.step(format_args!("{at}/{} {}", points.len() - 1, point.name));
        let state = match bench.build(point)? {
            Step::Built(qemu) => {
                let same = built.last().is_some_and(|b| b.qemu.digest == qemu.digest);
                built.push(Built { at, qemu: *qemu });
                if same { Builds::Unchanged } else { Builds::Yes }
            }
            Step::Broken(why) if at == 0 => {
                return Err(Error::new(Kind::Build, format!("the base does not build: {why}")));
            }
            Step::Broken(why) => Builds::No { why },
        };
        if at > 0 {
            review.patches[at - 1].builds = state;
            review.patches[at - 1].refused = bench.refused();
        }
    }
    Ok(built)
}

/// Why it is not worth a build: nothing that the suites test is touched.
fn irrelevant(request: &Request, mails: &[Mail]) -> Option<String> {
    let parts = "target/i386, accel/tcg, tcg or what they stand on";
    (!request.always && scope::relevant(mails).is_empty()).then(|| {
        format!(
            "the series touches nothing of {parts}: no SVM test can change; nothing was built \
             either (--always does both)"
        )
    })
}

/// Why no suite can say anything about the series.
fn why_not(request: &Request, built: &[Built]) -> Option<String> {
    if request.always {
        return None;
    }
    let first = built.first().map(|b| &b.qemu.digest);
    if built.len() > 1 && built.iter().all(|b| Some(&b.qemu.digest) == first) {
        return Some("all binaries are the same as the base's, byte for byte".into());
    }
    (built.len() == 1).then(|| "no patch of the series could be built".into())
}

/// What `-cpu max` offers, from point to point.
fn features(bench: &mut dyn Bench, built: &[Built], review: &mut Review) -> Result<()> {
    let mut last: Option<(&str, _)> = None;
    for Built { at, qemu } in built {
        if last.as_ref().is_some_and(|(digest, _)| *digest == qemu.digest) {
            continue;
        }
        let now = match bench.features(qemu) {
            // The suites say what else is the matter with it.
            Err(e) if e.kind() == Kind::Build && *at > 0 => {
                let number = review.patches[at - 1].number;
                review.notes.push(format!("at patch {number}: {e}"));
                continue;
            }
            now => now?,
        };
        if let Some((_, before)) = &last {
            let missing = |a: &std::collections::BTreeSet<String>,
                           b: &std::collections::BTreeSet<String>| {
                a.difference(b).cloned().collect::<Vec<_>>()
            };
            review.patches[at - 1].features = (missing(&now, before), missing(before, &now));
        }
        last = Some((&qemu.digest, now));
    }
    Ok(())
}

/// Tests that the series brings, on every point.
fn companions(
    bench: &mut dyn Bench,
    points: &[Point],
    built: &[Built],
    mails: &[Mail],
    review: &mut Review,
) -> Result<()> {
    let tip = points.len() - 1;
    for (at, mail) in mails.iter().enumerate().take(tip) {
        for file in scope::tests(mail) {
            let qemus: Vec<&Qemu> = built.iter().map(|b| &b.qemu).collect();
            let patch = review.patches[at].number;
            let verdicts = match bench.companion(&points[tip], file, &qemus) {
                Ok(verdicts) => verdicts,
                // A test that does not compile is the series' fault, and said where it is built.
                Err(e) if e.kind() == Kind::Build => None,
                Err(e) => return Err(e),
            };
            let verdicts: Option<Vec<(usize, Verdict)>> =
                verdicts.map(|all| built.iter().map(|b| b.at).zip(all).collect());
            let verdict = judge(at + 1, verdicts.as_deref(), review);
            let number = |at: usize| if at == 0 { 0 } else { review.patches[at - 1].number };
            let verdicts = verdicts.unwrap_or_default();
            let verdicts = verdicts.into_iter().map(|(at, v)| (number(at), v)).collect();
            review.companions.push(Companion { file: file.into(), patch, verdicts, verdict });
        }
    }
    Ok(())
}

/// `at` is the place of the patch that brings the test.
fn judge(at: usize, verdicts: Option<&[(usize, Verdict)]>, review: &Review) -> CompanionVerdict {
    let Some(verdicts) = verdicts else { return CompanionVerdict::NotRun };
    let passes = |v: &&(usize, Verdict)| v.1 == Verdict::Pass;
    if !verdicts.last().as_ref().is_some_and(passes) {
        return CompanionVerdict::FailsWith;
    }
    let after_last_failure = verdicts.iter().rposition(|v| !passes(&v)).map(|n| n + 1);
    let Some(first) = after_last_failure else { return CompanionVerdict::PassesWithout };
    let place = verdicts[first].0;
    let fixed = review.patches[place - 1].number;
    match place <= at {
        true => CompanionVerdict::Good { fixed },
        false => CompanionVerdict::TooEarly { fixed },
    }
}

struct Search<'a> {
    bench: &'a mut dyn Bench,
    request: &'a Request,
    built: &'a [Built],
    review: &'a mut Review,
    /// Verdicts by point and test.
    seen: BTreeMap<(usize, TestId), Row>,
}

impl Search<'_> {
    fn run(&mut self, env: &Env) -> Result<()> {
        let last = self.built.len() - 1;
        let (first, end) = (self.all(0)?, self.all(last)?);
        self.review.suites = summaries(&first.sets, &end.sets);
        if self.request.every {
            let mut before = first;
            for n in 1..=last {
                let after = if n == last { end.clone() } else { self.all(n)? };
                let flips = self.flips(&before, &after)?;
                flips.iter().for_each(|flip| self.place(n, flip));
                before = after;
            }
            return Ok(());
        }
        let changed = self.flips(&first, &end)?;
        if !changed.is_empty() {
            env.console.step(format_args!("looking for where {} tests change", changed.len()));
        }
        let (flaky, moved): (Vec<Flip>, Vec<Flip>) =
            changed.into_iter().partition(|f| f.change == Change::Flaky);
        flaky.iter().for_each(|flip| self.place(last, flip));
        self.between(0, last, moved.into_iter().map(|f| f.id).collect())
    }

    fn all(&mut self, n: usize) -> Result<Measured> {
        let qemu = self.built[n].qemu.clone();
        let sets = self.bench.measure(&qemu, &self.request.selection, self.request.repeat)?;
        self.keep(n, &sets);
        Ok(Measured { qemu, sets })
    }

    fn flips(&mut self, before: &Measured, after: &Measured) -> Result<Vec<Flip>> {
        flips(self.bench, before, after)
    }

    fn keep(&mut self, n: usize, sets: &[ResultSet]) {
        self.seen.extend(rows(sets).map(|(id, row)| ((n, id), row.clone())));
    }

    /// Places `tests`, which differ between `low` and `high`.
    fn between(&mut self, low: usize, high: usize, tests: Vec<TestId>) -> Result<()> {
        if tests.is_empty() {
            return Ok(());
        }
        if high - low == 1 {
            for id in tests {
                let (from, to) = (self.row(low, &id).cloned(), self.row(high, &id).cloned());
                let change = match (&from, &to) {
                    (_, None) => Change::Gone,
                    (None, _) => Change::New,
                    (Some(a), Some(b)) if b.verdict.badness() > a.verdict.badness() => {
                        Change::Regressed
                    }
                    (Some(a), Some(b)) if b.verdict.badness() < a.verdict.badness() => {
                        Change::Fixed
                    }
                    (Some(a), Some(b)) if b.passed < a.passed => Change::Regressed,
                    _ => Change::Changed,
                };
                self.place(high, &Flip { id, change, from, to });
            }
            return Ok(());
        }
        let middle = usize::midpoint(low, high);
        if self.built[middle].qemu.digest == self.built[low].qemu.digest {
            return self.copy(low, middle, &tests).and_then(|()| self.between(middle, high, tests));
        }
        let sets = self.bench.measure(
            &self.built[middle].qemu.clone(),
            &only(&tests),
            self.request.repeat,
        )?;
        self.keep(middle, &sets);
        let same = |a: Option<&Row>, b: Option<&Row>| a.map(key) == b.map(key);
        let (mut lower, mut upper) = (Vec::new(), Vec::new());
        for id in tests {
            let at = |n| self.row(n, &id);
            if !same(at(low), at(middle)) {
                lower.push(id.clone());
            }
            if !same(at(middle), at(high)) {
                upper.push(id);
            }
        }
        self.between(low, middle, lower)?;
        self.between(middle, high, upper)
    }

    /// The same binary has the same verdicts.
    fn copy(&mut self, from: usize, to: usize, tests: &[TestId]) -> Result<()> {
        for id in tests {
            if let Some(row) = self.row(from, id).cloned() {
                self.seen.insert((to, id.clone()), row);
            }
        }
        Ok(())
    }

    fn row(&self, n: usize, id: &TestId) -> Option<&Row> {
        self.seen.get(&(n, id.clone()))
    }

    /// Writes a change down at the patch of built point `n`.
    fn place(&mut self, n: usize, flip: &Flip) {
        let at = self.built[n].at;
        let before = if n == 0 { 0 } else { self.built[n - 1].at };
        let broken = (before + 1..at).map(|p| self.review.patches[p - 1].number).collect();
        let verdict = |row: &Option<Row>| row.as_ref().map(|r| r.verdict);
        let flipped = Flipped {
            test: claim::short(&flip.id.suite, &flip.id.config, &flip.id.test),
            feature: flip.row().and_then(|r| r.feature).map(|f| f.name().to_string()),
            from: verdict(&flip.from),
            to: verdict(&flip.to),
            worse: matches!(flip.change, Change::Regressed | Change::Gone),
            flaky: flip.change == Change::Flaky,
            why: flip.row().and_then(|r| r.why.clone()),
            or_earlier: broken,
        };
        self.review.patches[at - 1].flips.push(flipped);
    }
}

/// What of a row counts when two points are compared.
fn key(row: &Row) -> (Verdict, u32, u32) {
    match row.verdict {
        Verdict::Pass => (row.verdict, 0, 0),
        verdict => (verdict, row.passed, row.failed),
    }
}

fn summaries(before: &[ResultSet], after: &[ResultSet]) -> Vec<SuiteSummary> {
    let tally = |set: &ResultSet| {
        let count = |verdict| set.tests.iter().filter(|r| r.verdict == verdict).count();
        let (pass, skip) = (count(Verdict::Pass), count(Verdict::Skip));
        Tally { pass, skip, all: set.tests.len() }
    };
    let old = |name: &str| before.iter().find(|s| s.suite.name == name).map(tally);
    let summary = |set: &ResultSet| SuiteSummary {
        name: format!("{} {}", set.suite.name, set.suite.version),
        before: old(&set.suite.name).unwrap_or_default(),
        after: tally(set),
    };
    after.iter().map(summary).collect()
}
