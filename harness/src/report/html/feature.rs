//! A page for each feature: its tests on every build, its rules.

use std::collections::BTreeMap;

use minijinja::{Value, context};
use serde::Serialize;
use svm_model::rules::{self, Source};

use super::Content;
use super::view::{Build, Cell, Group, Shown, anchor, since};
use crate::Verdict;
use crate::record::history::{Column, History, Line, fails};
use crate::record::results::reproduce;
use crate::suites::TestId;

#[derive(Serialize)]
struct Sum {
    build: Build,
    cell: Cell,
}

#[derive(Serialize)]
struct Tests {
    title: String,
    open: bool,
    tests: Vec<Test>,
}

#[derive(Serialize)]
struct Test {
    anchor: String,
    config: String,
    test: String,
    results: Vec<Option<Shown>>,
    since: Vec<FailingSince>,
    known: Option<String>,
    command: String,
    command_build: String,
    logs: Vec<Log>,
}

#[derive(Serialize)]
struct FailingSince {
    build: String,
    words: String,
}

#[derive(Serialize)]
struct Log {
    build: String,
    text: String,
}

#[derive(Serialize)]
struct Section {
    number: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
struct Rule {
    id: &'static str,
    statement: &'static str,
    decided_by: Option<&'static str>,
    reasoning: Option<&'static str>,
}

/// The values of `feature.html`.
pub(super) fn feature(content: &Content<'_>, group: Group) -> Value {
    let history = content.history;
    let of_group = |(id, line): &(&TestId, &Line<'_>)| Group::of(&id.test, line.feature) == group;
    let tests: Vec<(&TestId, &Line<'_>)> = history.tests.iter().filter(of_group).collect();
    let sections = sections(group);
    context! {
        about => group.about(),
        builds => Build::all(history),
        sums => sums(history, &tests),
        groups => groups(content, &tests),
        rules => sections.iter().map(|s| s.rules.len()).sum::<usize>(),
        sections => sections,
    }
}

fn sums(history: &History<'_>, tests: &[(&TestId, &Line<'_>)]) -> Vec<Sum> {
    let sum = |(at, column): (usize, &Column<'_>)| {
        let verdicts = tests.iter().filter_map(|(_, line)| Some(line.rows[at]?.verdict));
        Sum { build: Build::of(column), cell: Cell::of(&verdicts.collect::<Vec<_>>()) }
    };
    history.builds.iter().enumerate().map(sum).collect()
}

/// What is not well on the last build comes first, and what is well everywhere
/// is folded away.
fn groups(content: &Content<'_>, tests: &[(&TestId, &Line<'_>)]) -> Vec<Tests> {
    let history = content.history;
    let Some(last) = history.builds.last() else { return Vec::new() };
    let place = |line: &Line<'_>| {
        let passes = |row: &crate::record::results::Row| row.verdict == Verdict::Pass;
        if !line.rows.last().copied().flatten().is_some_and(passes) {
            0
        } else {
            1 + usize::from(line.rows.iter().flatten().all(|row| passes(row)))
        }
    };
    let name = &last.build.name;
    let titles = [
        format!("Does not pass on {name}"),
        format!("Passes on {name}, but not on every build"),
        "Passes on every build".to_owned(),
    ];
    let group = |(n, title): (usize, String)| Tests {
        title,
        open: n < 2,
        tests: tests
            .iter()
            .filter(|(_, line)| place(line) == n)
            .map(|(id, line)| test(content, id, line))
            .collect(),
    };
    titles.into_iter().enumerate().map(group).filter(|g| !g.tests.is_empty()).collect()
}

fn test(content: &Content<'_>, id: &TestId, line: &Line<'_>) -> Test {
    let history = content.history;
    let name = |at: usize| history.builds[at].build.name.as_str();
    let on_builds = || line.rows.iter().enumerate().filter_map(|(at, row)| Some((at, (*row)?)));
    let failing_since = |at: usize| {
        let words = since(history, &history.since(id, at)?);
        Some(FailingSince { build: name(at).to_owned(), words })
    };
    let log = |(at, _): (usize, &crate::record::results::Row)| {
        let text = content.excerpts.get(name(at), id)?.to_owned();
        Some(Log { build: name(at).to_owned(), text })
    };
    // The newest failure is what one wants to see, or else the newest result.
    let failure = on_builds().rfind(|(_, row)| fails(row.verdict));
    let (at, row) = failure.or_else(|| on_builds().next_back()).expect("a test has a result");
    Test {
        anchor: anchor(id),
        config: id.config.clone(),
        test: id.test.clone(),
        results: line
            .rows
            .iter()
            .enumerate()
            .map(|(at, row)| row.map(|row| Shown::of(name(at), row)))
            .collect(),
        since: history.newest().into_iter().filter_map(failing_since).collect(),
        known: row.known.as_ref().map(|reason| reason.trim_end_matches('.').to_owned()),
        command: reproduce(history.builds[at].build, id),
        command_build: name(at).to_owned(),
        logs: on_builds().filter_map(log).collect(),
    }
}

/// The feature's rules by the manual's section.
fn sections(group: Group) -> Vec<Section> {
    let Group::Of(feature) = group else { return Vec::new() };
    let mut by_section: BTreeMap<Vec<u32>, Section> = BTreeMap::new();
    for (_, rule) in rules::all().filter(|(_, rule)| rule.feature == feature) {
        let numbers = rule.section.split('.').map(|n| n.parse().unwrap_or(u32::MAX)).collect();
        let (decided_by, reasoning) = match rule.source {
            Source::Manual => (None, None),
            Source::Silent { decided_by, reasoning } => (Some(decided_by), Some(reasoning)),
        };
        let rule_view = Rule { id: rule.id, statement: rule.statement, decided_by, reasoning };
        let empty = || Section { number: rule.section, rules: Vec::new() };
        by_section.entry(numbers).or_insert_with(empty).rules.push(rule_view);
    }
    by_section.into_values().collect()
}
