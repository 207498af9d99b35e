//! What a rule's entry shows.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use svm_model::Feature;
use svm_model::case::{Case, Step};
use svm_model::rules::{Rule, RuleId, Sides, Source};

use super::asked::{Asked, Place};
use super::reach::{self, Reach};
use crate::catalogue::{self, Entry};
use crate::record::history::{History, Line};
use crate::report::html::view::Shown;
use crate::suites::conformance::NAME as CONFORMANCE;
use crate::suites::rules::NAME as RULES;

/// How many generated cases an entry names.
const NAMED: usize = 6;

/// Everything that entries are made from.
pub(super) struct Book<'a> {
    pub(super) asked: Asked,
    pub(super) history: &'a History<'a>,
    generated: Vec<Entry>,
    written: Vec<Entry>,
    elsewhere: Vec<Entry>,
    reach: Vec<Reach>,
    /// What is recorded of a rule, and of a written case, by its name.
    results: BTreeMap<(&'a str, &'a str), &'a Line<'a>>,
}

/// A rule, with all that is known of it.
#[derive(Debug, Serialize)]
pub(super) struct RuleEntry {
    id: &'static str,
    statement: &'static str,
    citation: String,
    feature: &'static str,
    condition: bool,
    decided_by: Option<&'static str>,
    reasoning: Option<&'static str>,
    places: Vec<Asking>,
    held: usize,
    failed: usize,
    reaching: usize,
    tried: usize,
    noticing: usize,
    families: Vec<Family>,
    named: Vec<Named>,
    written: Vec<Named>,
    results: Vec<Option<Shown>>,
}

/// A line of the model.
#[derive(Debug, Serialize)]
struct Asking {
    href: String,
    path: String,
    line: usize,
    text: String,
}

/// How many cases of a family go through the rule, were tried with it broken, and notice.
#[derive(Debug, Default, Serialize)]
struct Family {
    name: String,
    reaching: usize,
    tried: usize,
    noticing: usize,
}

/// A case, and what is recorded of it.
#[derive(Debug, Serialize)]
struct Named {
    id: String,
    href: String,
    elsewhere: bool,
    results: Vec<Option<Shown>>,
}

/// The page with the cases of a feature, from the book's folder.
pub(super) fn case_page(feature: Feature) -> String {
    format!("cases/{feature}.html")
}

/// The page of a source, from the book's folder.
pub(super) fn source_page(path: &str) -> String {
    let inside = path.trim_start_matches("svm-model/src/").trim_end_matches(".rs");
    format!("source/{inside}.html")
}

impl RuleEntry {
    /// The cases that it names.
    pub(super) fn cases(&self) -> impl Iterator<Item = &str> {
        self.named.iter().chain(&self.written).map(|case| case.id.as_str())
    }
}

impl<'a> Book<'a> {
    pub(super) fn new(asked: Asked, generated: Vec<Entry>, history: &'a History<'a>) -> Self {
        let cases: Vec<Case> = generated.iter().map(|entry| entry.case.clone()).collect();
        let recorded = history.tests.iter();
        let recorded = recorded.filter(|(id, _)| [RULES, CONFORMANCE].contains(&id.suite.as_str()));
        Book {
            asked,
            history,
            reach: reach::of(&cases),
            generated,
            written: catalogue::all(),
            elsewhere: catalogue::elsewhere(),
            results: recorded
                .map(|(id, line)| ((id.suite.as_str(), id.test.as_str()), line))
                .collect(),
        }
    }

    /// How many cases are generated, and written.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.generated.len(), self.written.len() + self.elsewhere.len())
    }

    /// Every case.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.written.iter().chain(&self.elsewhere).chain(&self.generated)
    }

    /// The rule's entry.
    pub(super) fn rule(&self, id: RuleId, rule: &'static Rule) -> RuleEntry {
        let reach = &self.reach[id.index()];
        let (decided_by, reasoning) = match rule.source {
            Source::Manual => (None, None),
            Source::Silent { decided_by, reasoning } => (Some(decided_by), Some(reasoning)),
        };
        RuleEntry {
            id: rule.id,
            statement: rule.statement,
            citation: rule.citation(),
            feature: rule.feature.name(),
            condition: rule.sides == Sides::Two,
            decided_by,
            reasoning,
            places: self.asked.places(rule.id).iter().map(|place| self.asking(*place)).collect(),
            held: reach.held,
            failed: reach.failed,
            reaching: reach.reaching.len(),
            tried: reach.tried.len(),
            noticing: reach.noticing.len(),
            families: self.families(reach),
            named: self.named(rule, reach),
            written: self.written_about(id),
            results: self.results(RULES, rule.id),
        }
    }

    fn asking(&self, place: Place) -> Asking {
        let (text, path) = self.asked.line(place);
        Asking {
            href: format!("{}#L{}", source_page(path), place.line),
            path: path.to_owned(),
            line: place.line,
            text: text.to_owned(),
        }
    }

    fn families(&self, reach: &Reach) -> Vec<Family> {
        let mut all: BTreeMap<&str, Family> = BTreeMap::new();
        let name = |n: usize| self.generated[n].case.id.split('/').next().unwrap_or_default();
        for n in &reach.reaching {
            all.entry(name(*n)).or_default().reaching += 1;
        }
        for n in &reach.tried {
            all.entry(name(*n)).or_default().tried += 1;
        }
        for n in &reach.noticing {
            all.entry(name(*n)).or_default().noticing += 1;
        }
        let mut all: Vec<Family> =
            all.into_iter().map(|(name, f)| Family { name: name.to_owned(), ..f }).collect();
        all.sort_by_key(|family| std::cmp::Reverse((family.noticing, family.reaching)));
        all
    }

    /// Some of those that notice, on both sides of a condition: of the rule's own feature
    /// first, and short ones.
    fn named(&self, rule: &Rule, reach: &Reach) -> Vec<Named> {
        let best = |places: Vec<usize>| {
            let mut best: Vec<&Case> = places.iter().map(|n| &self.generated[*n].case).collect();
            best.sort_by_key(|case| (case.feature != rule.feature, size(case)));
            best
        };
        let held: BTreeSet<usize> = reach.noticing_held.iter().copied().collect();
        let other = reach.noticing.iter().copied().filter(|n| !held.contains(n)).collect();
        let (held, other) = (best(reach.noticing_held.clone()), best(other));
        let of_held = held.len().min(NAMED - other.len().min(NAMED / 2));
        let named = |case: &Case| Named {
            id: case.id.clone(),
            href: href(case),
            elsewhere: false,
            results: Vec::new(),
        };
        let both = held.into_iter().take(of_held).chain(other);
        both.take(NAMED).map(named).collect()
    }

    /// The written cases that are about the rule, or in which it takes part.
    fn written_about(&self, rule: RuleId) -> Vec<Named> {
        let about = |entry: &&Entry| {
            entry.written.as_ref().is_some_and(|(_, about)| about.rules().any(|r| r == rule))
        };
        let named = |entry: &Entry, elsewhere| Named {
            id: entry.case.id.clone(),
            href: href(&entry.case),
            elsewhere,
            results: self.results(CONFORMANCE, &entry.case.id),
        };
        let here = self.written.iter().filter(about).map(|entry| named(entry, false));
        here.chain(self.elsewhere.iter().filter(about).map(|entry| named(entry, true))).collect()
    }

    /// On each build.
    fn results(&self, suite: &str, test: &str) -> Vec<Option<Shown>> {
        let line = self.results.get(&(suite, test));
        let on = |(at, column): (usize, &crate::record::history::Column<'_>)| {
            line?.rows[at].map(|row| Shown::of(&column.build.name, row))
        };
        self.history.builds.iter().enumerate().map(on).collect()
    }
}

fn href(case: &Case) -> String {
    format!("{}#{}", case_page(case.feature), case.id)
}

/// How much there is to read.
fn size(case: &Case) -> usize {
    let runs = case.steps.iter().filter(|step| matches!(step, Step::Vmrun(_))).count();
    case.program.len() + case.steps.len() + 2 * runs
}
