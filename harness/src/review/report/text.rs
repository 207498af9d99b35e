//! For the terminal.

use std::fmt::Write;

use super::words;
use crate::review::{Builds, Review};

/// The whole review.
pub fn text(review: &Review) -> String {
    let mut out = String::new();
    let version =
        if review.version > 1 { format!(" (v{})", review.version) } else { String::new() };
    let _ = writeln!(out, "{}{version}", review.title);
    let count = words::patches(review.patches.len());
    let _ = writeln!(out, "{count} on {}, from {}\n", review.base, review.input);
    for line in words::runs(review).into_iter().chain(review.faults.iter().map(words::fault)) {
        let _ = writeln!(out, "! {line}");
    }
    for note in &review.notes {
        let _ = writeln!(out, "- {note}");
    }
    for patch in &review.patches {
        let built = matches!(patch.builds, Builds::Yes | Builds::Unchanged);
        let state = if built { "builds" } else { "      " };
        let _ = writeln!(out, "{:>3}  {state}  {}", patch.number, patch.title);
        for line in words::patch(patch) {
            let _ = writeln!(out, "       {line}");
        }
    }
    out.push('\n');
    for companion in &review.companions {
        let _ = writeln!(out, "{}", words::companion(companion));
    }
    for line in words::coverage(review) {
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(out, "\n{}", words::conclusion(review));
    out
}
