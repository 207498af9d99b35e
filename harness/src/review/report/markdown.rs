//! A reply to the list: plain text, quoted subjects, wrapped, nothing that a
//! mail reader would not show.

use std::fmt::Write;

use super::words;
use crate::host::wrap::wrapped_at;
use crate::review::{Applies, Builds, Outcome, Review};

/// Where a list's mails are wrapped.
const WIDTH: usize = 72;

/// The reply.
pub fn markdown(review: &Review) -> String {
    let mut out = String::new();
    let version = if review.version > 1 { format!(" v{}", review.version) } else { String::new() };
    let total = review.patches.len();
    let _ = writeln!(out, "> [PATCH{version} 0/{total}] {}\n", review.title);
    let built =
        review.patches.iter().filter(|p| matches!(p.builds, Builds::Yes | Builds::Unchanged));
    let refused = review.patches.iter().any(|p| matches!(p.applies, Applies::Refused { .. }));
    let (built, base) = (built.count(), &review.base);
    let sentence = match (refused, built) {
        (true, _) => format!("I tried to apply the series to {base}."),
        (false, 0) => format!("I applied the series to {base}."),
        (false, n) => {
            let all = words::patches(total);
            let compared = match review.unmeasured {
                None => " and compared the SVM tests before and after",
                Some(_) => "",
            };
            format!("I applied the series to {base}, built it at {n} of {all}{compared}.")
        }
    };
    out += &wrapped(&sentence, "");
    let faults = review.faults.iter().map(words::fault);
    for line in words::runs(review).into_iter().chain(faults).chain(words::coverage(review)) {
        out += &wrapped(&line, "- ");
    }
    out.push('\n');
    for patch in &review.patches {
        let lines = words::patch(patch);
        if lines.is_empty() {
            continue;
        }
        let _ = writeln!(out, "> [PATCH{version} {}/{total}] {}\n", patch.number, patch.title);
        for line in lines {
            out += &wrapped(&line, "- ");
        }
        out.push('\n');
    }
    for companion in &review.companions {
        out += &wrapped(&words::companion(companion), "- ");
    }
    let conclusion = words::conclusion(review);
    let capital = conclusion.chars().next().map(|c| c.to_uppercase().to_string());
    let rest: String = conclusion.chars().skip(1).collect();
    out += &wrapped(&format!("{}{rest}.", capital.unwrap_or_default()), "");
    if review.outcome() == Outcome::Good && review.unmeasured.is_none() {
        out += "\nTested-by: \n";
    }
    out
}

/// `text` in lines of [`WIDTH`], the first behind `mark`.
fn wrapped(text: &str, mark: &str) -> String {
    wrapped_at(WIDTH, text, mark)
}
