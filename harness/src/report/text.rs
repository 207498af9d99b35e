//! The report on the terminal: the matrix, then each flip with what to type.

use std::fmt::Write;

use super::{Part, Report, matrix};
use crate::Verdict;
use crate::record::diff::{Basis, Change, Comparison, Flip};
use crate::record::results::Row;
use crate::suites::SuiteIdentity;

/// Flips of one kind that are listed; the others are counted.
const MOST: usize = 20;
/// The same where all must fit a screen.
const FEW: usize = 5;

/// The whole report.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    heading(&mut out, report);
    let sets: Vec<_> = report.parts.iter().map(|p| &p.set).collect();
    if sets.iter().any(|s| !s.tests.is_empty()) {
        let _ = write!(out, "\n{}", matrix(&sets));
    }
    unexpected(&mut out, report);
    for comparison in &report.comparisons {
        compared(&mut out, report, comparison);
    }
    for (build, suite) in &report.unrecorded {
        let _ = writeln!(out, "\nnothing is recorded for {build}, {suite}; --record writes it");
    }
    wavering(&mut out, report);
    let measured = format!("{} measured now, {:.0} s", report.ran, report.took);
    let _ = writeln!(out, "\n{} ({measured})", conclusion(report));
    out
}

/// Which builds there are, a line each; how many.
pub(super) fn builds(out: &mut String, report: &Report) -> usize {
    let mut builds: Vec<&str> = Vec::new();
    for Part { set, .. } in &report.parts {
        if !builds.contains(&set.build.name.as_str()) {
            builds.push(&set.build.name);
            let series =
                set.build.series.as_ref().map_or(String::new(), |s| format!(", series of {s}"));
            let _ = writeln!(out, "{:<16} QEMU {}{series}", set.build.name, set.build.qemu);
        }
    }
    builds.len()
}

pub(super) fn heading(out: &mut String, report: &Report) {
    let mut suites: Vec<(&SuiteIdentity, Vec<&str>)> = Vec::new();
    let builds = builds(out, report);
    for Part { set, .. } in &report.parts {
        let build = set.build.name.as_str();
        match suites.iter_mut().find(|(suite, _)| **suite == set.suite) {
            Some((_, on)) => on.push(build),
            None => suites.push((&set.suite, vec![build])),
        }
    }
    suites.sort_by_key(|(suite, _)| &suite.name);
    for (suite, on) in &suites {
        let has = |p: &&Part| p.set.suite == **suite;
        let Some(Part { set, .. }) = report.parts.iter().find(has) else { continue };
        let (tests, configs) = (set.tests.len(), set.configs.len());
        let _ = write!(out, "{:<16} {}: {tests} runs", suite.name, suite.version);
        let _ = write!(out, " in {configs} configuration{}", plural(configs));
        // What was measured with another suite, or not at all, is not compared unawares.
        let part = on.len() < builds;
        let _ = writeln!(
            out,
            "{}",
            if part { format!(", on {}", on.join(", ")) } else { String::new() }
        );
    }
    for absent in &report.absent {
        let _ = writeln!(out, "{:<16} NOT RUN: {}", absent.suite, absent.why);
    }
    if let Some(shard) = report.shard {
        let _ = writeln!(out, "shard {shard} only; `cargo xtask merge` puts shards together");
    }
    lost_shards(out, report);
}

/// How many results a lost shard owes.
pub(super) fn lost_tests(report: &Report, number: u32) -> usize {
    let of_shard = |row: &&Row| row.owed_by() == Some(number);
    report.parts.iter().flat_map(|p| &p.set.tests).filter(of_shard).count()
}

/// `SHARD 2 IS MISSING, and with it 100 results`, for each that is, as far as one reads on.
pub(super) fn lost_shards(out: &mut String, report: &Report) {
    const SHOWN: usize = 8;
    for number in report.lost.iter().take(SHOWN) {
        let missing = lost_tests(report, *number);
        let _ = writeln!(out, "SHARD {number} IS MISSING, and with it {missing} results");
    }
    if report.lost.len() > SHOWN {
        let more = report.lost.len() - SHOWN;
        let _ = writeln!(out, "SHARDS ARE MISSING: {more} more");
    }
}

pub(super) fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

pub(super) fn unexpected(out: &mut String, report: &Report) {
    for (build, id, reason) in &report.unexpected {
        let _ = writeln!(out, "\nUNEXPECTED PASS: {id} on {build}");
        let _ = writeln!(out, "  known to fail: {}", clip(reason));
        let _ = writeln!(out, "  narrow or remove its entry in results/known-failures.toml");
    }
}

/// How many flips of one kind are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// [`MOST`].
    Many,
    /// As many as leave room for the rest on a screen.
    Few,
}

pub(super) fn compared(out: &mut String, report: &Report, comparison: &Comparison) {
    flips(out, report, comparison, &|_| true, Limit::Many);
}

/// The flips of the wanted kinds.
pub(super) fn flips(
    out: &mut String,
    report: &Report,
    comparison: &Comparison,
    wanted: &dyn Fn(Change) -> bool,
    limit: Limit,
) {
    let Comparison { basis, suite, from, to, versions, flips } = comparison;
    let most = if limit == Limit::Few { FEW } else { MOST };
    let (title, same) = match basis {
        Basis::Series | Basis::Builds => (format!("{from} -> {to}, {suite}"), "no test changes"),
        Basis::Recorded => (format!("recorded -> now, {to}, {suite}"), "as recorded"),
    };
    if flips.is_empty() {
        let _ = writeln!(out, "\n{title}: {same}");
    } else {
        let _ = writeln!(out, "\n{title}:");
    }
    if let Some((before, after)) = versions {
        let _ = writeln!(out, "  (the suite was {before} and is {after})");
    }
    for change in Change::ALL.into_iter().filter(|c| wanted(*c)) {
        let of_kind: Vec<&Flip> = flips.iter().filter(|f| f.change == change).collect();
        if of_kind.is_empty() {
            continue;
        }
        let _ = writeln!(out, "  {} {}", of_kind.len(), change.name());
        for flip in of_kind.iter().take(most) {
            flipped(out, report, to, flip);
        }
        if of_kind.len() > most {
            // `report` has no JSON; its pages have all of them.
            let all = if *basis == Basis::Builds { "report --html DIR" } else { "--json FILE" };
            let _ = writeln!(out, "    and {} more; all are in {all}", of_kind.len() - most);
        }
    }
}

fn flipped(out: &mut String, report: &Report, build: &str, flip: &Flip) {
    let side = |row: &Option<Row>| row.as_ref().map_or("-".into(), summary);
    let feature = flip.row().and_then(|r| r.feature).map_or("-", |f| f.name());
    let (from, to) = (side(&flip.from), side(&flip.to));
    let _ = writeln!(out, "    {}  {from} -> {to}  [{feature}]", flip.id);
    let said = flip.to.as_ref().filter(|row| row.verdict != Verdict::Pass);
    if let Some(why) = said.and_then(|row| row.known.as_ref().or(row.why.as_ref())) {
        let _ = writeln!(out, "      {}", clip(why));
    }
    if flip.change != Change::Gone {
        let _ = writeln!(out, "      {}", report.reproduce(build, &flip.id));
    }
    if let Some(log) = report.log(build, &flip.id) {
        let _ = writeln!(out, "      log {}", log.display());
    }
}

/// `fail 2/8`: two of eight assertions hold.
pub(super) fn summary(row: &Row) -> String {
    let total = row.passed + row.failed;
    match row.verdict {
        Verdict::Fail | Verdict::Crash | Verdict::Timeout if total > 0 => {
            format!("{} {}/{total}", row.verdict, row.passed)
        }
        verdict => verdict.to_string(),
    }
}

pub(super) fn clip(text: &str) -> String {
    const WIDTH: usize = 110;
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// Tests whose attempts disagree are shown with all of them.
pub(super) fn wavering(out: &mut String, report: &Report) {
    for Part { set, .. } in &report.parts {
        for row in set.tests.iter().filter(|row| row.wavers()) {
            let all: Vec<&str> = row.attempts.iter().map(|v| v.name()).collect();
            let (id, build) = (set.id(row), &set.build.name);
            let share = share(&row.attempts);
            let _ = writeln!(out, "\nflaky on {build}: {id}: {share}: {}", all.join(", "));
            if let Some(reason) = &row.known {
                let _ = writeln!(out, "  {}", clip(reason));
            }
        }
    }
}

/// `7 pass, 3 fail of 10`.
pub(super) fn share(attempts: &[Verdict]) -> String {
    let count = |v: Verdict| attempts.iter().filter(|a| **a == v).count();
    let counts = Verdict::ALL.into_iter().map(|v| (v, count(v))).filter(|(_, n)| *n > 0);
    let counts: Vec<String> = counts.map(|(v, n)| format!("{n} {v}")).collect();
    format!("{} of {}", counts.join(", "), attempts.len())
}

/// The verdict in words.
pub(super) fn conclusion(report: &Report) -> String {
    let count = |c: Change| {
        report.comparisons.iter().flat_map(|x| &x.flips).filter(|f| f.change == c).count()
    };
    match report.failure() {
        Some(crate::Kind::NothingRan) if !report.lost.is_empty() => {
            let lost: Vec<String> = report.lost.iter().take(8).map(u32::to_string).collect();
            let more = match report.lost.len().saturating_sub(lost.len()) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("NOT WHOLE: shard {}{more} left no results", lost.join(", "))
        }
        Some(crate::Kind::NothingRan) => "nothing ran".into(),
        Some(_) => {
            let mut words = Vec::new();
            if report.comparisons.iter().any(Comparison::is_worse) {
                let (worse, gone) = (count(Change::Regressed), count(Change::Gone));
                words.push(format!("WORSE: {worse} regressed, {gone} gone"));
            }
            if let n @ 1.. = report.unexpected.len() {
                let es = if n == 1 { "" } else { "ES" };
                words.push(format!("{n} UNEXPECTED PASS{es}"));
            }
            words.join(", ")
        }
        None => "no regression".into(),
    }
}
