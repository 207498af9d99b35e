//! Feature by build: how many tests came to what.

use std::collections::{BTreeMap, BTreeSet};

use svm_model::Feature;

use crate::Verdict;
use crate::host::wrap::WIDTH;
use crate::record::results::{ResultSet, Row};
use crate::suites::WHOLE;

/// A line of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Line {
    Of(Feature),
    Unclassified,
    Whole,
    Total,
}

impl Line {
    fn of(row: &Row) -> Line {
        match row.feature {
            Some(feature) => Line::Of(feature),
            None if row.test == WHOLE => Line::Whole,
            None => Line::Unclassified,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Line::Of(feature) => feature.name(),
            Line::Unclassified => "unclassified",
            Line::Whole => "units run whole",
            Line::Total => "all tests",
        }
    }
}

type Counts = BTreeMap<(Line, String, Verdict), usize>;

/// Tests that a series fixes, by line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fixed(BTreeMap<Line, usize>);

/// Counts rows that are fixed.
pub(super) fn fixed<'a>(rows: impl Iterator<Item = &'a Row>) -> Fixed {
    let mut counts = BTreeMap::new();
    for row in rows {
        lines_of(row).into_iter().for_each(|line| *counts.entry(line).or_default() += 1);
    }
    Fixed(counts)
}

/// The lines that count a row.
fn lines_of(row: &Row) -> Vec<Line> {
    match Line::of(row) {
        Line::Whole => vec![Line::Whole],
        line => vec![line, Line::Total],
    }
}

/// The matrix of all sets; one group of columns a build, in the order in which
/// the builds first appear. Verdicts that nobody came to have no column.
pub fn matrix(sets: &[&ResultSet]) -> String {
    with_fixed(sets, None)
}

/// [`matrix`] with a last column for what is fixed.
pub(super) fn with_fixed(sets: &[&ResultSet], fixed: Option<&Fixed>) -> String {
    let mut builds: Vec<&str> = Vec::new();
    let mut counts = Counts::new();
    for set in sets {
        let build = set.build.name.as_str();
        if !builds.contains(&build) {
            builds.push(build);
        }
        for row in &set.tests {
            for line in lines_of(row) {
                *counts.entry((line, build.to_owned(), row.verdict)).or_default() += 1;
            }
        }
    }
    let seen = |v: &Verdict| *v == Verdict::Pass || counts.keys().any(|(.., verdict)| verdict == v);
    let mut verdicts: Vec<Verdict> = Verdict::ALL.into_iter().filter(seen).collect();
    let mut below: Vec<Verdict> = Vec::new();
    if fixed.is_some() && columns(&builds, &verdicts) > WIDTH {
        // The rare ones; a line at the end has each.
        let rare = |v: &Verdict| matches!(v, Verdict::Missing | Verdict::NotBuilt);
        (below, verdicts) = verdicts.into_iter().partition(rare);
    }
    let lines: BTreeSet<Line> = counts.keys().map(|(line, ..)| *line).collect();
    let mut out = heading(&builds, &verdicts, fixed.is_some());
    for line in lines {
        out += &format!("{:<16}", line.label());
        for build in &builds {
            out.push_str(" |");
            for verdict in &verdicts {
                let count = counts.get(&(line, (*build).to_owned(), *verdict));
                let cell = count.map_or_else(|| ".".to_owned(), usize::to_string);
                out += &format!(" {cell:>width$}", width = width(*verdict));
            }
            out += &" ".repeat(overhang(build, &verdicts));
        }
        out.truncate(out.trim_end_matches(' ').len());
        if let Some(Fixed(counts)) = fixed {
            let cell = counts.get(&line).map_or_else(|| ".".to_owned(), |n| format!("+{n}"));
            let last = builds.last().map_or(0, |build| overhang(build, &verdicts));
            out += &format!("{} | {cell:>5}", " ".repeat(last));
        }
        out.push('\n');
    }
    for verdict in below {
        out += &line_below(verdict, &builds, sets);
    }
    out
}

/// How wide a matrix with a column for what is fixed is.
fn columns(builds: &[&str], verdicts: &[Verdict]) -> usize {
    let group: usize = verdicts.iter().map(|v| width(*v) + 1).sum();
    let group = |build: &&str| 2 + group + overhang(build, verdicts);
    16 + builds.iter().map(group).sum::<usize>() + " | fixed".len()
}

/// `missing          stock-10.2.2 2, patched-10.2.2 2`.
fn line_below(verdict: Verdict, builds: &[&str], sets: &[&ResultSet]) -> String {
    let of = |build: &&str| {
        let rows = sets.iter().filter(|set| set.build.name == **build).flat_map(|set| &set.tests);
        match rows.filter(|row| row.verdict == verdict).count() {
            0 => None,
            n => Some(format!("{build} {n}")),
        }
    };
    let counts: Vec<String> = builds.iter().filter_map(of).collect();
    format!("{:<16} {}\n", verdict.name(), counts.join(", "))
}

/// Feature by build: how many tests pass, of how many. The name of a build is on
/// two lines, so that many fit side by side.
pub(super) fn shares(sets: &[&ResultSet]) -> String {
    let mut builds: Vec<&str> = Vec::new();
    let mut counts: BTreeMap<(Line, &str), (usize, usize)> = BTreeMap::new();
    for set in sets {
        let build = set.build.name.as_str();
        if !builds.contains(&build) {
            builds.push(build);
        }
        for row in &set.tests {
            for line in lines_of(row) {
                let (pass, all) = counts.entry((line, build)).or_default();
                *pass += usize::from(row.verdict == Verdict::Pass);
                *all += 1;
            }
        }
    }
    let lines: BTreeSet<Line> = counts.keys().map(|(line, _)| *line).collect();
    let row = |label: &str, cells: &mut dyn Iterator<Item = String>| {
        let cells: String = cells.map(|cell| format!(" | {cell:>9}")).collect();
        format!("{label:<16}{cells}\n")
    };
    let half = |first: bool| {
        builds.iter().map(move |build| {
            let (side, version) = build.split_once('-').unwrap_or((build, ""));
            if first { side.to_owned() } else { version.to_owned() }
        })
    };
    let mut out = row("", &mut half(true)) + &row("passing tests", &mut half(false));
    for line in lines {
        let cell = |build: &&str| {
            let count = counts.get(&(line, *build));
            count.map_or_else(|| ".".to_owned(), |(pass, all)| format!("{pass}/{all}"))
        };
        out += &row(line.label(), &mut builds.iter().map(cell));
    }
    out
}

fn heading(builds: &[&str], verdicts: &[Verdict], fixed: bool) -> String {
    let group: usize = verdicts.iter().map(|v| width(*v) + 1).sum();
    let mut first = format!("{:<16}", "");
    let mut second = format!("{:<16}", "feature");
    for build in builds {
        first += &format!(" | {build:<width$}", width = group - 1);
        second.push_str(" |");
        for verdict in verdicts {
            second += &format!(" {:>width$}", short(*verdict), width = width(*verdict));
        }
        second += &" ".repeat(overhang(build, verdicts));
    }
    second.truncate(second.trim_end_matches(' ').len());
    if fixed {
        second.push_str(&" ".repeat(builds.last().map_or(0, |build| overhang(build, verdicts))));
        second += " | fixed";
        first += " |";
    }
    format!("{}\n{second}\n", first.trim_end())
}

/// By how much a build's name is longer than its columns are wide.
fn overhang(build: &str, verdicts: &[Verdict]) -> usize {
    let columns: usize = verdicts.iter().map(|v| width(*v) + 1).sum();
    (build.len() + 1).saturating_sub(columns)
}

fn width(verdict: Verdict) -> usize {
    short(verdict).len().max(4)
}

/// Its name, or a word short enough that two builds fit a terminal.
fn short(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Timeout => "hang",
        Verdict::Missing => "miss",
        other => other.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixtures::{row, set};

    #[test]
    fn two_builds_with_every_verdict_fit_a_terminal() {
        let rows = || Verdict::ALL.iter().map(|v| row("c", v.name(), *v)).collect::<Vec<_>>();
        let (stock, patched) = (set("stock-10.2.2", rows()), set("patched-10.2.2", rows()));
        let said = with_fixed(&[&stock, &patched], Some(&Fixed(BTreeMap::new())));
        let widest = said.lines().map(str::len).max();
        assert!(widest <= Some(WIDTH), "{said}");
        let below = "missing          stock-10.2.2 1, patched-10.2.2 1\n\
                     not-built        stock-10.2.2 1, patched-10.2.2 1\n";
        assert!(said.ends_with(below), "{said}");
        assert!(matrix(&[&stock]).contains("miss"), "one build has the room");
    }
}
