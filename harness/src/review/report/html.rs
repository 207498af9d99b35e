//! One static page, readable without network and on a phone. What it looks like
//! is in `templates/`.

use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;

use super::words;
use crate::host::error::Context;
use crate::review::{Builds, Outcome, PatchReview, Review};
use crate::{Kind, Result};

const PAGE: &str = include_str!("templates/review.html");

/// The page.
///
/// # Errors
/// Harness, when the template is wrong.
pub fn html(review: &Review) -> Result<String> {
    let doing = || "writing the page of a review".to_owned();
    let mut templates = Environment::new();
    templates.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.add_template("review.html", PAGE).doing(Kind::Harness, doing)?;
    let tests = review.companions.iter().map(words::companion);
    let class = if review.outcome() == Outcome::Good { "good" } else { "bad" };
    let values = context! {
        title => review.title,
        version => review.version,
        count => words::patches(review.patches.len()),
        base => review.base,
        input => review.input,
        class => class,
        conclusion => words::conclusion(review),
        runs => lines(words::runs(review)),
        faults => lines(review.faults.iter().map(words::fault)),
        notes => lines(review.notes.iter().cloned()),
        patches => review.patches.iter().map(Row::of).collect::<Vec<_>>(),
        tests => lines(words::coverage(review).into_iter().chain(tests)),
    };
    let page = templates.get_template("review.html").doing(Kind::Harness, doing)?;
    page.render(values).doing(Kind::Harness, doing)
}

/// A patch, as the page has it.
#[derive(Serialize)]
struct Row<'a> {
    number: u32,
    title: &'a str,
    class: &'static str,
    builds: &'static str,
    lines: Vec<Line>,
}

/// A line of text; words in capitals mark what is wrong.
#[derive(Serialize)]
struct Line {
    text: String,
    bad: bool,
}

impl Row<'_> {
    fn of(patch: &PatchReview) -> Row<'_> {
        let (class, builds) = match patch.builds {
            Builds::Yes | Builds::Unchanged => ("good", "yes"),
            Builds::No { .. } => ("bad", "no"),
            Builds::Untried => ("", "-"),
        };
        let lines = lines(words::patch(patch));
        Row { number: patch.number, title: &patch.title, class, builds, lines }
    }
}

fn lines(texts: impl IntoIterator<Item = String>) -> Vec<Line> {
    const MARKS: [&str; 8] =
        ["WORSE", "DOES NOT", "ERROR", "WRONG ORDER", "FAILS", "NO LONGER", "RUNS", "REFUSED"];
    let line = |text: String| Line { bad: MARKS.iter().any(|m| text.contains(m)), text };
    texts.into_iter().map(line).collect()
}
