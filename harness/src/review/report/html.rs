//! One static page, readable without network and on a phone.

use std::fmt::Write;

use super::words;
use crate::review::{Builds, Outcome, PatchReview, Review};

const STYLE: &str = "body{font:16px/1.5 sans-serif;margin:1rem auto;max-width:60rem;padding:0 1rem;\
color:#222;background:#fff}table{border-collapse:collapse;width:100%}td,th{text-align:left;\
vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #ddd}ul{margin:.2rem 0;\
padding-left:1.2rem}code{font-size:.9em;overflow-wrap:anywhere}.bad{color:#a40000}.good{color:#1a6b1a}\
.conclusion{font-size:1.15rem;font-weight:600}@media(prefers-color-scheme:dark){body{color:#ddd;\
background:#181818}td,th{border-color:#444}.bad{color:#ff8a80}.good{color:#8fd88f}}";

/// The page.
pub fn html(review: &Review) -> String {
    let title = escape(&review.title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Review: {title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    let _ = writeln!(
        out,
        "<p>Version {}, {} on {}, from {}.</p>",
        review.version,
        words::patches(review.patches.len()),
        escape(&review.base),
        escape(&review.input)
    );
    let class = if review.outcome() == Outcome::Good { "good" } else { "bad" };
    let conclusion = escape(&words::conclusion(review));
    let _ = writeln!(out, "<p class=\"conclusion {class}\">{conclusion}</p>");
    list(&mut out, words::runs(review).into_iter());
    list(&mut out, review.faults.iter().map(words::fault));
    list(&mut out, review.notes.iter().cloned());
    out += "<table>\n<thead><tr><th>#</th><th>Builds</th><th>Patch</th></tr></thead>\n<tbody>\n";
    for patch in &review.patches {
        row(&mut out, patch);
    }
    out += "</tbody>\n</table>\n<h2>Tests</h2>\n";
    list(&mut out, words::coverage(review).into_iter());
    list(&mut out, review.companions.iter().map(words::companion));
    out + "</body>\n</html>\n"
}

fn row(out: &mut String, patch: &PatchReview) {
    let (class, word) = match patch.builds {
        Builds::Yes | Builds::Unchanged => ("good", "yes"),
        Builds::No { .. } => ("bad", "no"),
        Builds::Untried => ("", "-"),
    };
    let _ = write!(
        out,
        "<tr><td>{}</td><td class=\"{class}\">{word}</td><td>{}",
        patch.number,
        escape(&patch.title)
    );
    list(out, words::patch(patch).into_iter());
    *out += "</td></tr>\n";
}

fn list(out: &mut String, lines: impl Iterator<Item = String>) {
    let items: Vec<String> = lines.map(|l| item(&l)).collect();
    if !items.is_empty() {
        let _ = writeln!(out, "<ul>\n{}</ul>", items.concat());
    }
}

/// Words in capitals mark what is wrong; they are coloured, too.
fn item(line: &str) -> String {
    let marks =
        ["WORSE", "DOES NOT", "ERROR", "WRONG ORDER", "FAILS", "NO LONGER", "RUNS", "REFUSED"];
    let bad = marks.iter().any(|m| line.contains(m));
    let class = if bad { " class=\"bad\"" } else { "" };
    format!("<li{class}><code>{}</code></li>\n", escape(line))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
