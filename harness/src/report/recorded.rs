//! What `cargo xtask report` prints: everything that is recorded.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::text::{clip, compared, heading, plural, summary, unexpected, wavering};
use super::{Part, Report, matrix};
use crate::host::wrap::wrapped;
use crate::record::diff::{Comparison, unexpected_passes};
use crate::record::history::{History, Since, fails};
use crate::record::results::{KnownFailures, ResultSet, Row};
use crate::suites::TestId;
use crate::{Error, Kind, Result};

/// Failures that are listed for each build.
const MOST: usize = 20;

/// The matrix, what fails since when, known failures, and what wavers.
pub fn recorded(history: &History<'_>, known: &KnownFailures) -> String {
    let report = report(history, known);
    let mut out = String::new();
    heading(&mut out, &report);
    let sets: Vec<&ResultSet> = report.parts.iter().map(|p| &p.set).collect();
    let _ = write!(out, "\n{}", matrix(&sets));
    unexpected(&mut out, &report);
    strays(&mut out, history);
    for at in history.newest() {
        failing(&mut out, history, at);
    }
    known_failures(&mut out, &sets, known);
    wavering(&mut out, &report);
    out
}

/// The comparisons of build `from` with each of `to` or, where that is empty,
/// with its natural successor.
///
/// # Errors
/// Usage, for a build of which nothing is recorded, or one that has no
/// successor.
pub fn since(history: &History<'_>, from: &str, to: &[String]) -> Result<Vec<Comparison>> {
    let from = history.position(from)?;
    let mut targets = to.iter().map(|name| history.position(name)).collect::<Result<Vec<_>>>()?;
    if targets.is_empty() {
        let name = &history.builds[from].build.name;
        targets.push(history.successor(from).ok_or_else(|| {
            Error::new(Kind::Usage, format!("{name} is the newest build of its side"))
                .hint("name another with --build, or an older one with --since")
        })?);
    }
    Ok(targets.into_iter().flat_map(|to| history.compare(from, to)).collect())
}

/// What differs between builds, with each test's history.
pub fn changes(
    history: &History<'_>,
    known: &KnownFailures,
    comparisons: Vec<Comparison>,
) -> String {
    let mut report = report(history, known);
    report.comparisons = comparisons;
    let mut out = String::new();
    heading(&mut out, &report);
    for comparison in &report.comparisons {
        compared(&mut out, &report, comparison);
    }
    out
}

pub(super) fn report(history: &History<'_>, known: &KnownFailures) -> Report {
    let sets = history.builds.iter().flat_map(|column| column.sets.iter().copied());
    let part = |set: &ResultSet| Part {
        set: set.clone(),
        seconds: BTreeMap::new(),
        logs: BTreeMap::new(),
        excerpts: BTreeMap::new(),
    };
    let parts: Vec<Part> = sets.map(part).collect();
    let denied = |set: &ResultSet| {
        let build = set.build.name.clone();
        unexpected_passes(set, known).into_iter().map(move |(id, why)| (build.clone(), id, why))
    };
    let unexpected = parts.iter().flat_map(|p| denied(&p.set)).collect();
    Report { parts, unexpected, ..Report::default() }
}

pub(super) fn strays(out: &mut String, history: &History<'_>) {
    for column in &history.builds {
        for suite in column.strays() {
            let (name, first) = (&column.build.name, &column.sets[0].suite.name);
            let text = format!("{suite} on {name} was not measured on the same build as {first}");
            let _ = write!(out, "\n{}", wrapped(&text, "STALE: "));
            let _ = writeln!(out, "  cargo xtask test-svm --record measures both again");
        }
    }
}

/// Tests that fail on a build, those first that have passed before.
pub(super) fn failing_tests<'a>(
    history: &'a History<'_>,
    at: usize,
) -> Vec<(&'a TestId, &'a Row, Since)> {
    let mut failing: Vec<(&TestId, &Row, Since)> = Vec::new();
    for (id, line) in &history.tests {
        let row = line.rows[at].filter(|row| fails(row.verdict));
        failing.extend(row.zip(history.since(id, at)).map(|(row, since)| (id, row, since)));
    }
    failing.sort_by_key(|(_, _, since)| since.passed.is_none());
    failing
}

/// News first: what has passed before.
fn failing(out: &mut String, history: &History<'_>, at: usize) {
    let name = &history.builds[at].build.name;
    let failing = failing_tests(history, at);
    if failing.is_empty() {
        let _ = writeln!(out, "\nnothing fails on {name}");
        return;
    }
    let total = failing.len();
    let _ = writeln!(out, "\n{total} test{} not pass on {name}:", does(total));
    for (id, row, since) in failing.iter().take(MOST) {
        let feature = row.feature.map_or("-", |f| f.name());
        let (what, since) = (summary(row), since_words(history, since));
        let reason = if row.known.is_some() { ", known" } else { "" };
        let _ = writeln!(out, "  {id}  {what}  since {since}{reason}  [{feature}]");
    }
    if total > MOST {
        let _ = writeln!(out, "  and {} more; all are in --html DIR", total - MOST);
    }
}

fn does(n: usize) -> &'static str {
    if n == 1 { " does" } else { "s do" }
}

/// `stock-10.0.13 (passed in stock-7.2.22)`; where nothing older passed, it may be
/// older itself.
pub(super) fn since_words(history: &History<'_>, since: &Since) -> String {
    let name = |at: usize| &history.builds[at].build.name;
    match since.passed {
        Some(passed) => format!("{} (passed in {})", name(since.first), name(passed)),
        None => format!("{} or before", name(since.first)),
    }
}

fn known_failures(out: &mut String, sets: &[&ResultSet], known: &KnownFailures) {
    if known.entries().is_empty() {
        return;
    }
    let _ = writeln!(out, "\nknown failures:");
    for entry in known.entries() {
        let explained = known.explained(entry, sets);
        let verdicts: Vec<&str> = entry.verdicts.iter().map(|v| v.name()).collect();
        let (tests, verdicts) = (entry.tests.join(" "), verdicts.join(" "));
        let flaky = if entry.flaky { ", flaky" } else { "" };
        let n = explained.len();
        let count = match n {
            0 => "explains nothing that is recorded".into(),
            _ => format!("{n} result{}", plural(n)),
        };
        let _ = writeln!(out, "  {tests}: {verdicts}{flaky}, since {}: {count}", entry.since);
        let _ = writeln!(out, "    {}", clip(&entry.reason));
        let _ = writeln!(out, "    {}", entry.link);
    }
}
