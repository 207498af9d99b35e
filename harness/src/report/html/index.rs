//! The first page.

use std::collections::BTreeMap;

use minijinja::{Value, context};
use serde::Serialize;

use super::Content;
use super::cost;
use super::plot::{self, Plot};
use super::view::{Build, Cell, Group, Shown, href, since};
use crate::Verdict;
use crate::record::diff::{Change, Comparison, unexpected_passes};
use crate::record::history::{Column, History, fails};
use crate::record::results::ResultSet;
use crate::report::text::share;

#[derive(Serialize)]
struct Line {
    label: &'static str,
    href: Option<String>,
    total: bool,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Suite {
    name: String,
    versions: Vec<String>,
}

#[derive(Serialize)]
struct Step {
    from: String,
    to: String,
    suite: String,
    groups: Vec<Flips>,
}

#[derive(Serialize)]
struct Flips {
    name: &'static str,
    flips: Vec<Flip>,
}

#[derive(Serialize)]
struct Flip {
    name: String,
    href: String,
    from: Option<Shown>,
    to: Option<Shown>,
}

#[derive(Serialize)]
struct Failing {
    build: String,
    tests: Vec<Failure>,
}

#[derive(Serialize)]
struct Failure {
    name: String,
    href: String,
    result: Shown,
    since: String,
}

#[derive(Serialize)]
struct Known<'a> {
    suite: &'a str,
    tests: String,
    verdicts: Vec<&'static str>,
    flaky: bool,
    reason: &'a str,
    since: &'a str,
    link: &'a str,
    results: usize,
}

#[derive(Serialize)]
struct Wavering {
    name: String,
    href: String,
    build: String,
    share: String,
    attempts: Vec<&'static str>,
}

/// The values of `index.html`.
pub(super) fn index(content: &Content<'_>, groups: &[Group]) -> Value {
    let history = content.history;
    let runs = history.tests.len();
    let plots: Vec<Plot> =
        suites(history).iter().map(|s| plot::verdicts(history, &s.name)).collect();
    context! {
        runs => runs,
        builds => Build::all(history),
        suites => suites(history),
        verdicts => verdicts(history),
        notices => notices(content),
        matrix => matrix(history, groups),
        plots => plots,
        costs => content.bench.map(cost::costs),
        changes => changes(history),
        failing => history.newest().into_iter().map(|at| failing(history, at)).collect::<Vec<_>>(),
        known => known(content),
        wavering => wavering(history),
    }
}

fn sets<'a>(history: &'a History<'_>) -> impl Iterator<Item = &'a ResultSet> {
    history.builds.iter().flat_map(|column| column.sets.iter().copied())
}

/// Each suite, with the versions of it that were measured.
fn suites(history: &History<'_>) -> Vec<Suite> {
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for set in sets(history) {
        let versions = found.entry(&set.suite.name).or_default();
        if !versions.contains(&set.suite.version) {
            versions.push(set.suite.version.clone());
        }
    }
    found.into_iter().map(|(name, versions)| Suite { name: name.to_owned(), versions }).collect()
}

fn verdicts(history: &History<'_>) -> Vec<&'static str> {
    let seen = |v: &Verdict| sets(history).flat_map(|s| &s.tests).any(|row| row.verdict == *v);
    Verdict::ALL.into_iter().filter(seen).map(Verdict::name).collect()
}

fn notices(content: &Content<'_>) -> Vec<String> {
    let mut notices = Vec::new();
    for set in sets(content.history) {
        for (id, reason) in unexpected_passes(set, content.known) {
            let build = &set.build.name;
            notices.push(format!("Unexpected pass: {id} on {build}, known to fail: {reason}"));
        }
    }
    for column in &content.history.builds {
        for suite in column.strays() {
            let (name, first) = (&column.build.name, &column.sets[0].suite.name);
            notices.push(format!(
                "Stale: {suite} on {name} was not measured on the same build as {first}"
            ));
        }
    }
    let all = suites(content.history);
    let uneven: Vec<String> = all.iter().filter_map(|s| uneven(content.history, &s.name)).collect();
    if !uneven.is_empty() {
        notices.push(format!("Columns differ in what was measured. {}.", uneven.join(". ")));
    }
    notices
}

/// Builds on which a suite was not measured, or not as on the newest one.
fn uneven(history: &History<'_>, suite: &str) -> Option<String> {
    let on = |c: &Column<'_>| {
        let set = c.sets.iter().find(|s| s.suite.name == suite);
        set.map(|s| s.suite.version.clone())
    };
    let newest = history.builds.iter().rev().find_map(on)?;
    let names = |wanted: &dyn Fn(Option<String>) -> bool| {
        let found = history.builds.iter().filter(|c| wanted(on(c)));
        found.map(|c| c.build.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let lack = names(&|version| version.is_none());
    let other = names(&|version| version.is_some_and(|v| v != newest));
    let parts = [("not measured on", lack), ("another version of it on", other)];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(_, builds)| !builds.is_empty())
        .map(|(what, builds)| format!("{what} {builds}"))
        .collect();
    (!parts.is_empty()).then(|| format!("{suite}: {}", parts.join("; ")))
}

fn matrix(history: &History<'_>, groups: &[Group]) -> Vec<Line> {
    let builds = 0..history.builds.len();
    let cell = |wanted: &dyn Fn(Group) -> bool, at: usize| {
        let of =
            history.tests.iter().filter(|(id, line)| wanted(Group::of(&id.test, line.feature)));
        Cell::of(&of.filter_map(|(_, line)| Some(line.rows[at]?.verdict)).collect::<Vec<_>>())
    };
    let line = |group: &Group| Line {
        label: group.label(),
        href: Some(group.path()),
        total: false,
        cells: builds.clone().map(|at| cell(&|g| g == *group, at)).collect(),
    };
    let mut lines: Vec<Line> = groups.iter().map(line).collect();
    let cells = builds.clone().map(|at| cell(&|g| g != Group::Whole, at)).collect();
    lines.push(Line { label: "all tests", href: None, total: true, cells });
    lines
}

fn changes(history: &History<'_>) -> Vec<Step> {
    let pairs = (0..history.builds.len()).filter_map(|to| Some((history.predecessor(to)?, to)));
    let comparisons = pairs.flat_map(|(from, to)| history.compare(from, to));
    comparisons.map(|comparison| step(&comparison)).collect()
}

fn step(comparison: &Comparison) -> Step {
    let flip = |flip: &crate::record::diff::Flip| Flip {
        name: flip.id.to_string(),
        href: href(&flip.id, flip.row().and_then(|row| row.feature)),
        from: flip.from.as_ref().map(|row| Shown::of(&comparison.from, row)),
        to: flip.to.as_ref().map(|row| Shown::of(&comparison.to, row)),
    };
    let group = |change: Change| {
        let of_kind = comparison.flips.iter().filter(|f| f.change == change);
        Flips { name: change.name(), flips: of_kind.map(flip).collect() }
    };
    Step {
        from: comparison.from.clone(),
        to: comparison.to.clone(),
        suite: comparison.suite.clone(),
        groups: Change::ALL.map(group).into_iter().filter(|g| !g.flips.is_empty()).collect(),
    }
}

fn failing(history: &History<'_>, at: usize) -> Failing {
    let build = history.builds[at].build.name.clone();
    let failure = |(id, line): (&crate::suites::TestId, &crate::record::history::Line<'_>)| {
        let row = line.rows[at].filter(|row| fails(row.verdict))?;
        Some(Failure {
            name: id.to_string(),
            href: href(id, line.feature),
            result: Shown::of(&build, row),
            since: since(history, &history.since(id, at)?),
        })
    };
    let tests = history.tests.iter().filter_map(failure).collect();
    Failing { build, tests }
}

fn known<'a>(content: &Content<'a>) -> Vec<Known<'a>> {
    let sets: Vec<&ResultSet> = sets(content.history).collect();
    let entry = |k: &'a crate::record::results::Known| Known {
        suite: &k.suite,
        tests: k.tests.join(" "),
        verdicts: k.verdicts.iter().map(|v| v.name()).collect(),
        flaky: k.flaky,
        reason: k.reason.trim_end_matches('.'),
        since: &k.since,
        link: &k.link,
        results: content.known.explained(k, &sets).len(),
    };
    content.known.entries().iter().map(entry).collect()
}

fn wavering(history: &History<'_>) -> Vec<Wavering> {
    let mut found = Vec::new();
    for set in sets(history) {
        for row in set.tests.iter().filter(|row| row.wavers()) {
            let id = set.id(row);
            found.push(Wavering {
                name: id.to_string(),
                href: href(&id, row.feature),
                build: set.build.name.clone(),
                share: share(&row.attempts),
                attempts: row.attempts.iter().map(|v| v.name()).collect(),
            });
        }
    }
    found
}
