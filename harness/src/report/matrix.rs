//! Feature by build: how many tests came to what.

use std::collections::{BTreeMap, BTreeSet};

use svm_model::Feature;

use crate::Verdict;
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

/// The matrix of all sets; one group of columns a build, in the order in which
/// the builds first appear. Verdicts that nobody came to have no column.
pub fn matrix(sets: &[&ResultSet]) -> String {
    let mut builds: Vec<&str> = Vec::new();
    let mut counts = Counts::new();
    for set in sets {
        let build = set.build.name.as_str();
        if !builds.contains(&build) {
            builds.push(build);
        }
        for row in &set.tests {
            let line = Line::of(row);
            let lines = if line == Line::Whole { vec![line] } else { vec![line, Line::Total] };
            for line in lines {
                *counts.entry((line, build.to_owned(), row.verdict)).or_default() += 1;
            }
        }
    }
    let seen = |v: &Verdict| *v == Verdict::Pass || counts.keys().any(|(.., verdict)| verdict == v);
    let verdicts: Vec<Verdict> = Verdict::ALL.into_iter().filter(seen).collect();
    let lines: BTreeSet<Line> = counts.keys().map(|(line, ..)| *line).collect();
    let mut out = heading(&builds, &verdicts);
    for line in lines {
        out += &format!("{:<16}", line.label());
        for build in &builds {
            out.push_str(" |");
            for verdict in &verdicts {
                let count = counts.get(&(line, (*build).to_owned(), *verdict));
                let cell = count.map_or_else(|| ".".to_owned(), usize::to_string);
                out += &format!(" {cell:>width$}", width = width(*verdict));
            }
        }
        out.push('\n');
    }
    out
}

fn heading(builds: &[&str], verdicts: &[Verdict]) -> String {
    let group: usize = verdicts.iter().map(|v| width(*v) + 1).sum();
    let mut first = format!("{:<16}", "");
    let mut second = format!("{:<16}", "feature");
    for build in builds {
        first += &format!(" | {build:<width$}", width = group - 1);
        second.push_str(" |");
        for verdict in verdicts {
            second += &format!(" {:>width$}", verdict.name(), width = width(*verdict));
        }
    }
    format!("{}\n{second}\n", first.trim_end())
}

fn width(verdict: Verdict) -> usize {
    verdict.name().len().max(4)
}
