//! `cargo xtask rules --book DIR`: the specification as pages, for readers of the manual who
//! need not read Rust. Pure, but for reading the model's sources.
//!
//! A page for each section that has rules; what they link to is on pages for the cases of a
//! feature, and for each source of the model that decides.

mod asked;
mod reach;
mod rule;
mod section;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use minijinja::{Value, context};
use serde::Serialize;
use svm_model::Feature;
use svm_model::rules::{self, Source};

use super::html::view::{Build, Cell};
use super::html::{SHARED, STYLE};
use super::pages::{Page, Templates};
use crate::catalogue::{self, Entry};
use crate::exec::render;
use crate::record::history::History;
use crate::suites::rules::NAME as RULES;
use crate::{Result, Verdict};
use asked::Asked;
use rule::{Book, case_page, source_page};
use section::Filled;

const TEMPLATES: [(&str, &str); 5] = [
    ("index.html", include_str!("templates/index.html")),
    ("section.html", include_str!("templates/section.html")),
    ("silent.html", include_str!("templates/silent.html")),
    ("cases.html", include_str!("templates/cases.html")),
    ("source.html", include_str!("templates/source.html")),
];
/// What the book adds to the look of the other pages.
const BOOK_STYLE: &str = include_str!("templates/book.css");
const TITLE: &str = "The rules of AMD SVM";

/// A line of a list of sections.
#[derive(Clone, Debug, Serialize)]
struct Link {
    label: String,
    href: String,
    rules: usize,
    silent: usize,
}

/// Sections that are listed together.
#[derive(Clone, Debug, Serialize)]
struct Group {
    title: String,
    sections: Vec<Link>,
}

/// What a build makes of all rules.
#[derive(Clone, Debug, Serialize)]
struct Sum {
    build: Build,
    cell: Cell,
}

/// Every page of the book: of the rules, the sources of the checkout `repo`, `generated` cases
/// and all written ones, and what is recorded in `history`.
///
/// # Errors
/// Harness, when the model's sources cannot be read or a template is wrong.
pub fn pages(repo: &Path, generated: Vec<Entry>, history: &History<'_>) -> Result<Vec<Page>> {
    let templates = Templates::new(&[&SHARED[..], &TEMPLATES[..]].concat())?;
    let book = Book::new(Asked::read(repo)?, generated, history);
    let sections = section::all();
    let links: Vec<Link> = sections.iter().map(link).collect();
    let site = context! { site => TITLE, lists => "Sections", menu => links };
    let frame = |root: &str, here: &str| {
        let title = if here.is_empty() { TITLE.to_owned() } else { format!("{here} · {TITLE}") };
        context! { root => root, here => here, title => title, ..site.clone() }
    };
    let with = |frame: Value, values: Value| context! { ..frame, ..values };

    let mut all = Vec::new();
    let values = index(&book, &sections);
    all.push(templates.page("index.html", "index.html", with(frame("", ""), values))?);
    let values = context! { sections => silent(&sections) };
    let here = "Where the manual is silent";
    all.push(templates.page("silent.html", "silent.html", with(frame("", here), values))?);
    let mut shown = BTreeSet::new();
    for (n, (section, rules)) in sections.iter().enumerate() {
        let rules: Vec<_> = rules.iter().map(|(id, rule)| book.rule(*id, rule)).collect();
        shown.extend(rules.iter().flat_map(|rule| rule.cases()).map(str::to_owned));
        let label = section.label();
        let values = context! {
            group => section.group(),
            builds => Build::all(history),
            rules => rules,
            before => n.checked_sub(1).map(|n| &links[n]),
            after => links.get(n + 1),
        };
        let page = with(frame("../", &label), values);
        all.push(templates.page("section.html", &section.path(), page)?);
    }
    for (feature, cases) in by_feature(&book, &shown) {
        let here = format!("Cases: {feature}");
        let values =
            with(frame("../", &here), context! { about => feature.about(), cases => cases });
        all.push(templates.page("cases.html", &case_page(feature), values)?);
    }
    for source in &book.asked.sources {
        let lines: Vec<&str> = source.text.lines().collect();
        let root = "../".repeat(source_page(&source.path).matches('/').count());
        let values = with(frame(&root, &source.path), context! { lines => lines });
        all.push(templates.page("source.html", &source_page(&source.path), values)?);
    }
    all.push(Page { path: "style.css".into(), text: format!("{STYLE}\n{BOOK_STYLE}") });
    Ok(all)
}

fn link((section, rules): &Filled) -> Link {
    let silent = rules.iter().filter(|(_, rule)| rule.source != Source::Manual).count();
    Link { label: section.label(), href: section.path(), rules: rules.len(), silent }
}

fn index(book: &Book<'_>, sections: &[Filled]) -> Value {
    let mut groups: Vec<Group> = Vec::new();
    for filled in sections {
        let title = filled.0.group();
        match groups.last_mut().filter(|group| group.title == title) {
            Some(group) => group.sections.push(link(filled)),
            None => groups.push(Group { title, sections: vec![link(filled)] }),
        }
    }
    let sum = |(at, build): (usize, Build)| {
        let rows = book.history.tests.iter().filter(|(id, _)| id.suite == RULES);
        let verdicts: Vec<Verdict> =
            rows.filter_map(|(_, line)| Some(line.rows[at]?.verdict)).collect();
        Sum { build, cell: Cell::of(&verdicts) }
    };
    let sums: Vec<Sum> = Build::all(book.history).into_iter().enumerate().map(sum).collect();
    let (generated, written) = book.counts();
    context! {
        rules => rules::COUNT,
        silent => groups.iter().flat_map(|g| &g.sections).map(|s| s.silent).sum::<usize>(),
        generated => generated,
        written => written,
        groups => groups,
        sums => sums,
    }
}

/// The sections that have such rules, and these.
fn silent(sections: &[Filled]) -> Vec<Value> {
    let rule = |section: &section::Section, rule: &rules::Rule| match rule.source {
        Source::Manual => None,
        Source::Silent { decided_by, reasoning } => Some(context! {
            id => rule.id,
            href => format!("{}#{}", section.path(), rule.id),
            statement => rule.statement,
            decided_by => decided_by,
            reasoning => reasoning,
        }),
    };
    let of = |(section, all): &Filled| {
        let rules: Vec<Value> = all.iter().filter_map(|(_, r)| rule(section, r)).collect();
        (!rules.is_empty()).then(|| context! { label => section.label(), rules => rules })
    };
    sections.iter().filter_map(of).collect()
}

/// The cases that rules' entries name, each with what it is, by their features.
fn by_feature(book: &Book<'_>, shown: &BTreeSet<String>) -> BTreeMap<Feature, Vec<Value>> {
    let mut all: BTreeMap<Feature, Vec<Value>> = BTreeMap::new();
    for entry in book.entries().filter(|entry| shown.contains(&entry.case.id)) {
        let expected = entry.expected(&catalogue::assumed(&entry.case));
        let text = render::case(&entry.case);
        let value = context! {
            id => entry.case.id,
            // Its first line is the id.
            text => text.split_once('\n').map_or("", |(_, rest)| rest),
            expected => render::outcome(&expected),
            written => entry.written.is_some(),
            authority => entry.authority(),
        };
        all.entry(entry.case.feature).or_default().push(value);
    }
    all
}

#[cfg(test)]
mod tests;
