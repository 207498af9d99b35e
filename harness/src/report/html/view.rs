//! What templates are given, in their own words.

use std::collections::BTreeSet;

use serde::Serialize;
use svm_model::Feature;

use crate::Verdict;
use crate::record::history::{Column, History, Since};
use crate::record::results::Row;
use crate::report::recorded::since_words;
use crate::report::text::{share, summary};
use crate::suites::{TestId, WHOLE};

/// Tests that share a page and a line of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::report) enum Group {
    Of(Feature),
    Unclassified,
    Whole,
}

impl Group {
    pub(in crate::report) fn of(test: &str, feature: Option<Feature>) -> Self {
        match feature {
            Some(feature) => Group::Of(feature),
            None if test == WHOLE => Group::Whole,
            None => Group::Unclassified,
        }
    }

    /// Every feature, and the others where there are tests of them.
    pub(in crate::report) fn present(history: &History<'_>) -> Vec<Group> {
        let of_tests = history.tests.iter().map(|(id, line)| Group::of(&id.test, line.feature));
        let features = Feature::ALL.iter().map(|f| Group::Of(*f));
        let all: BTreeSet<Group> = features.chain(of_tests).collect();
        all.into_iter().collect()
    }

    pub(in crate::report) fn label(self) -> &'static str {
        match self {
            Group::Of(feature) => feature.name(),
            Group::Unclassified => "unclassified",
            Group::Whole => "units run whole",
        }
    }

    pub(in crate::report) fn about(self) -> &'static str {
        match self {
            Group::Of(feature) => feature.about(),
            Group::Unclassified => "Tests that are not about one feature.",
            Group::Whole => {
                "Many tests in one QEMU, as the suite configures them: some failures need \
                 the tests before them. Not counted among all tests."
            }
        }
    }

    /// From the report's folder.
    pub(in crate::report) fn path(self) -> String {
        format!("feature/{}.html", self.label().replace(' ', "-"))
    }
}

#[derive(Serialize)]
pub(in crate::report) struct Menu {
    label: &'static str,
    href: String,
}

impl Menu {
    pub(in crate::report) fn of(group: Group) -> Self {
        Menu { label: group.label(), href: group.path() }
    }
}

/// A build, as headings show it.
#[derive(Clone, Debug, Serialize)]
pub(in crate::report) struct Build {
    pub(in crate::report) name: String,
    side: &'static str,
    version: String,
    /// For narrow columns.
    short: String,
    qemu: String,
    series: Option<String>,
    compiler: Option<String>,
}

impl Build {
    pub(in crate::report) fn of(column: &Column<'_>) -> Self {
        let build = column.build;
        let side = build.side.name();
        let version = build.name.strip_prefix(side).unwrap_or(&build.name);
        let version = version.trim_start_matches('-').to_owned();
        Build {
            name: build.name.clone(),
            side,
            short: format!("{side} {version}"),
            version,
            qemu: build.qemu.clone(),
            series: build.series.as_ref().map(|s| format!("series of {s}")),
            compiler: build.compiler.clone(),
        }
    }

    pub(in crate::report) fn all(history: &History<'_>) -> Vec<Build> {
        history.builds.iter().map(Build::of).collect()
    }
}

/// How many tests came to what.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::report) struct Cell {
    passed: usize,
    total: usize,
    parts: Vec<Part>,
    words: String,
}

#[derive(Clone, Debug, Serialize)]
struct Part {
    verdict: &'static str,
    percent: f64,
}

impl Cell {
    pub(in crate::report) fn of(verdicts: &[Verdict]) -> Self {
        let total = verdicts.len();
        let count = |v: Verdict| verdicts.iter().filter(|x| **x == v).count();
        let counts: Vec<(Verdict, usize)> =
            Verdict::ALL.into_iter().map(|v| (v, count(v))).filter(|(_, n)| *n > 0).collect();
        let percent = |n: usize| (n as f64 * 10000.0 / total as f64).round() / 100.0;
        let part = |&(v, n): &(Verdict, usize)| Part { verdict: v.name(), percent: percent(n) };
        let words: Vec<String> = counts.iter().map(|(v, n)| format!("{n} {v}")).collect();
        Cell {
            passed: count(Verdict::Pass),
            total,
            parts: counts.iter().map(part).collect(),
            words: words.join(", "),
        }
    }
}

/// One result.
#[derive(Clone, Debug, Serialize)]
pub(in crate::report) struct Shown {
    build: String,
    verdict: &'static str,
    /// `fail 2/8`.
    summary: String,
    passed: u32,
    why: Option<String>,
    failing: Vec<String>,
    known: bool,
    wavers: bool,
    attempts: Vec<&'static str>,
    share: String,
}

impl Shown {
    pub(in crate::report) fn of(build: &str, row: &Row) -> Self {
        Shown {
            build: build.to_owned(),
            verdict: row.verdict.name(),
            summary: summary(row),
            passed: row.passed,
            why: row.why.clone().filter(|_| row.verdict != Verdict::Pass),
            failing: row.failing.clone(),
            known: row.known.is_some(),
            wavers: row.wavers(),
            attempts: row.attempts.iter().map(|v| v.name()).collect(),
            share: share(&row.attempts),
        }
    }
}

/// The id of a test's entry on its page.
pub(in crate::report) fn anchor(id: &TestId) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    format!("{}-{}-{}", id.suite, id.config, id.test).chars().map(plain).collect()
}

/// Where a test is shown, from the report's folder.
pub(in crate::report) fn href(id: &TestId, feature: Option<Feature>) -> String {
    format!("{}#{}", Group::of(&id.test, feature).path(), anchor(id))
}

/// `stock-10.0.13 (passed in stock-7.2.22)`.
pub(in crate::report) fn since(history: &History<'_>, since: &Since) -> String {
    since_words(history, since)
}
