//! The report that fits a screen: the builds, the matrix with what was fixed, in
//! full only what a person must act on, and the verdict in words.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Report;
use super::matrix::{self, Fixed};
use super::text::{Limit, builds, conclusion, flips, plural, unexpected, wavering};
use crate::host::wrap::wrapped;
use crate::record::diff::{Basis, Change};
use crate::record::results::ResultSet;

/// The short report. Everything is in [`super::text`].
pub fn brief(report: &Report) -> String {
    let mut out = String::new();
    heading(&mut out, report);
    let sets: Vec<_> = report.parts.iter().map(|p| &p.set).collect();
    if sets.iter().any(|s| !s.tests.is_empty()) {
        let fixed = fixed(report);
        let _ = write!(out, "\n{}", matrix::with_fixed(&sets, fixed.as_ref()));
    }
    unexpected(&mut out, report);
    to_act_on(&mut out, report);
    uncounted(&mut out, report);
    unrecorded(&mut out, report);
    wavering(&mut out, report);
    let _ = write!(out, "\n{}", verdict(report));
    out
}

/// Builds a line each, suites together.
pub(super) fn heading(out: &mut String, report: &Report) {
    builds(out, report);
    let suites = suites(report.parts.iter().map(|p| &p.set));
    if !suites.is_empty() {
        out.push_str(&wrapped(&suites.join(", "), "suites           "));
    }
    for absent in &report.absent {
        out.push_str(&wrapped(&format!("{}: {}", absent.suite, absent.why), "NOT RUN          "));
    }
    if let Some(shard) = report.shard {
        let _ = writeln!(out, "shard {shard} only; `cargo xtask merge` puts shards together");
    }
    super::text::lost_shards(out, report);
}

/// `conformance 1864`: each suite with its runs on one build.
fn suites<'a>(sets: impl Iterator<Item = &'a ResultSet>) -> Vec<String> {
    let mut runs: BTreeMap<&str, usize> = BTreeMap::new();
    for set in sets {
        let most = runs.entry(&set.suite.name).or_default();
        *most = set.tests.len().max(*most);
    }
    runs.into_iter().map(|(name, n)| format!("{name} {n} runs")).collect()
}

/// What passes on the later build and did not on the one before, by feature; none
/// where no two builds were compared.
fn fixed(report: &Report) -> Option<Fixed> {
    let compared = report.comparisons.iter().filter(|c| c.basis == Basis::Series);
    let mut compared = compared.peekable();
    compared.peek()?;
    let flips = compared.flat_map(|c| &c.flips).filter(|f| f.change == Change::Fixed);
    Some(matrix::fixed(flips.filter_map(|f| f.row())))
}

/// Flips that are news: worse or gone between builds, and any from what is recorded.
fn to_act_on(out: &mut String, report: &Report) {
    for comparison in &report.comparisons {
        let wanted = |change: Change| match comparison.basis {
            Basis::Recorded => true,
            _ => matches!(change, Change::Regressed | Change::Gone),
        };
        if comparison.flips.iter().any(|f| wanted(f.change)) {
            flips(out, report, comparison, &wanted, Limit::Few);
        }
    }
}

/// Flips between builds that are neither fixed nor news.
fn uncounted(out: &mut String, report: &Report) {
    let between = report.comparisons.iter().filter(|c| c.basis == Basis::Series);
    let flips: Vec<_> = between.flat_map(|c| &c.flips).collect();
    let count = |change| flips.iter().filter(|f| f.change == change).count();
    let kinds = [Change::Improved, Change::Changed, Change::New, Change::Flaky];
    let counts = kinds.map(|c| (c.name(), count(c))).into_iter().filter(|(_, n)| *n > 0);
    let counts: Vec<String> = counts.map(|(name, n)| format!("{n} {name}")).collect();
    if !counts.is_empty() {
        let _ = writeln!(out, "\nneither fixed nor worse: {}", counts.join(", "));
    }
}

/// Suites of which nothing is recorded, by build.
fn unrecorded(out: &mut String, report: &Report) {
    let mut by_build: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (build, suite) in &report.unrecorded {
        by_build.entry(build).or_default().push(suite);
    }
    for (build, suites) in by_build {
        let text =
            format!("nothing is recorded for {build}: {}; --record writes it", suites.join(", "));
        let _ = write!(out, "\n{}", wrapped(&text, ""));
    }
}

/// The verdict in words, and where the rest is.
fn verdict(report: &Report) -> String {
    let fixed = report.comparisons.iter().filter(|c| c.basis == Basis::Series);
    let fixed = fixed.flat_map(|c| &c.flips).filter(|f| f.change == Change::Fixed).count();
    let mut words = conclusion(report);
    if report.failure().is_none() {
        if report.comparisons.iter().any(|c| c.basis == Basis::Series) {
            words += &format!(": the series fixes {fixed} test{} and breaks none", plural(fixed));
        }
        let recorded = report.comparisons.iter().filter(|c| c.basis == Basis::Recorded);
        let mut recorded = recorded.peekable();
        let all = report.unrecorded.is_empty() && recorded.peek().is_some();
        if all && recorded.all(|c| c.flips.is_empty()) {
            words += "; all is as recorded";
        }
    }
    let measured = format!("{} measured now, {:.0} s", report.ran, report.took);
    let rest = "all of it: -v, or --json FILE; as pages: cargo xtask report --html DIR";
    wrapped(&format!("{words} ({measured})"), "") + rest + "\n"
}
