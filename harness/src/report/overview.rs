//! What `cargo xtask report` prints on one screen: how much passes on each build,
//! what must be looked at, and where the rest is.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::recorded::{failing_tests, report, strays};
use super::text::{plural, summary, unexpected, wavering};
use super::{brief, matrix};
use crate::host::glob::glob;
use crate::host::wrap::wrapped;
use crate::record::history::History;
use crate::record::results::{Known, KnownFailures, ResultSet};

/// Tests that passed before which are listed for each build.
const NEWS: usize = 5;

/// The overview. Everything is in [`super::recorded()`].
pub fn overview(history: &History<'_>, known: &KnownFailures) -> String {
    let report = report(history, known);
    let mut out = String::new();
    brief::heading(&mut out, &report);
    let sets: Vec<&ResultSet> = report.parts.iter().map(|p| &p.set).collect();
    let _ = write!(out, "\n{}", matrix::shares(&sets));
    unexpected(&mut out, &report);
    let mut stray = String::new();
    strays(&mut stray, history);
    out += &stray;
    out.push('\n');
    for at in history.newest() {
        failing(&mut out, history, at);
    }
    known_failures(&mut out, &sets, known);
    wavering(&mut out, &report);
    out + "\nall of it: -v; from one build to another: --since BUILD; pages: --html DIR\n"
}

/// How many fail, and those that have passed before.
fn failing(out: &mut String, history: &History<'_>, at: usize) {
    let name = &history.builds[at].build.name;
    let failing = failing_tests(history, at);
    let total = failing.len();
    let news: Vec<_> = failing.iter().filter(|(.., since)| since.passed.is_some()).collect();
    let (s, verb) = (plural(total), if total == 1 { "does" } else { "do" });
    let passed =
        if news.is_empty() { String::new() } else { format!(", {} did before", news.len()) };
    let _ = writeln!(out, "{total} test{s} {verb} not pass on {name}{passed}");
    for (id, row, since) in news.iter().take(NEWS) {
        let passed = since.passed.map_or("", |at| &history.builds[at].build.name);
        let text = format!("{id}  {}, passed on {passed}", summary(row));
        out.push_str(&wrapped(&text, "  "));
    }
    if news.len() > NEWS {
        let _ = writeln!(out, "  and {} more", news.len() - NEWS);
    }
}

/// How much the known failures explain, and those that explain nothing.
fn known_failures(out: &mut String, sets: &[&ResultSet], known: &KnownFailures) {
    let explained: BTreeMap<usize, usize> = known
        .entries()
        .iter()
        .enumerate()
        .map(|(n, entry)| (n, known.explained(entry, sets).len()))
        .collect();
    let (entries, results) = (explained.len(), explained.values().sum::<usize>());
    if entries == 0 {
        return;
    }
    let (es, rs) = (plural(entries), plural(results));
    let _ = writeln!(out, "{results} result{rs} explained by {entries} known failure{es}");
    let about = |entry: &Known, set: &ResultSet| {
        entry.suite == set.suite.name && entry.builds.iter().any(|b| glob(b, &set.build.name))
    };
    for (n, _) in explained.iter().filter(|(_, results)| **results == 0) {
        let entry = &known.entries()[*n];
        // Nothing is said of what is not shown.
        if !sets.iter().any(|set| about(entry, set)) {
            continue;
        }
        let _ = writeln!(out, "  STALE: the entry for {} explains nothing", entry.tests.join(" "));
    }
}
