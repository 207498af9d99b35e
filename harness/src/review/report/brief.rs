//! For the terminal, on one screen.

use std::fmt::Write;

use super::words;
use crate::host::wrap::wrapped;
use crate::review::{Builds, PatchReview, Review};

/// Patches that are listed; of more, those with something to say.
const LISTED: usize = 15;
/// Lines about one patch.
const LINES: usize = 6;

/// What must be read, a line a patch, and the verdict. Everything is in
/// [`super::text()`].
pub fn brief(review: &Review) -> String {
    let mut out = String::new();
    let version =
        if review.version > 1 { format!(" (v{})", review.version) } else { String::new() };
    out += &wrapped(&format!("{}{version}", review.title), "");
    let count = words::patches(review.patches.len());
    let _ = writeln!(out, "{count} on {}, from {}\n", review.base, review.input);
    for line in words::runs(review).into_iter().chain(review.faults.iter().map(words::fault)) {
        out += &wrapped(&line, "! ");
    }
    for note in &review.notes {
        out += &wrapped(note, "- ");
    }
    patches(&mut out, review);
    out.push('\n');
    for line in review.companions.iter().map(words::companion).chain(words::coverage(review)) {
        out += &wrapped(&line, "");
    }
    let _ = write!(out, "\n{}", wrapped(&words::conclusion(review), ""));
    out + "all of it: -v, --json FILE, --html DIR; a reply to the list: --markdown FILE\n"
}

fn patches(out: &mut String, review: &Review) {
    let many = review.patches.len() > LISTED;
    let mut quiet = 0;
    for patch in &review.patches {
        let lines = words::objections(patch);
        if many && lines.is_empty() {
            quiet += 1;
            continue;
        }
        let built = matches!(patch.builds, Builds::Yes | Builds::Unchanged);
        let state = if built { "builds" } else { "      " };
        out.push_str(&wrapped(&patch.title, &format!("{:>3}  {state}  ", patch.number)));
        for line in lines.iter().take(LINES) {
            out.push_str(&wrapped(line, "       "));
        }
        if lines.len() > LINES {
            let _ = writeln!(out, "       and {} more such lines", lines.len() - LINES);
        }
        gains(out, patch);
    }
    if quiet > 0 {
        let _ = writeln!(out, "and {} to which there is nothing to say", words::patches(quiet));
    }
}

/// What gets better at a patch, counted.
fn gains(out: &mut String, patch: &PatchReview) {
    let better: Vec<_> = patch.flips.iter().filter(|f| !f.worse && !f.flaky).collect();
    if let Some(first) = better.first() {
        let more = match better.len() - 1 {
            0 => String::new(),
            n => format!(" and {n} more tests"),
        };
        out.push_str(&wrapped(&format!("{}{more}", words::flip(first)), "       "));
    }
    let obeyed = patch.rules.iter().filter(|r| !r.is_worse()).count();
    if obeyed > 0 {
        let s = if obeyed == 1 { "" } else { "s" };
        let _ = writeln!(out, "       {obeyed} rule{s} of the manual obeyed better");
    }
}
