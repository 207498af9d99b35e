//! A search, told to a person. Pure.

use super::{Bisection, Found, Seen};
use crate::host::wrap::wrapped;

/// Of a point's name that is shown in the list; below it, it is whole.
const NAME: usize = 40;

/// The points in order with what they showed, and what that means.
pub fn text(b: &Bisection) -> String {
    let mut tried = b.tried.clone();
    tried.sort_by_key(|(at, _)| *at);
    let mut out = format!("{}\n", b.test);
    let length = |at: &usize| b.points[*at].chars().count();
    let width = tried.iter().map(|(at, _)| length(at)).max().unwrap_or(0).min(NAME);
    for (at, seen) in &tried {
        let name: String = match length(at) > NAME {
            true => b.points[*at].chars().take(NAME - 1).chain(['…']).collect(),
            false => b.points[*at].clone(),
        };
        out += &wrapped(&describe(seen), &format!("  {name:width$}  "));
    }
    out += &format!("\n{}", wrapped(&conclusion(b), ""));
    let builds = if b.builds == 1 { "1 build".into() } else { format!("{} builds", b.builds) };
    out + &format!("{builds} of {} points\n", b.points.len())
}

/// One point's verdict in words.
pub fn describe(seen: &Seen) -> String {
    match seen {
        Seen::Absent => "there is no such test".into(),
        Seen::Broken { why } => {
            format!("does not build: {}", why.lines().nth(1).unwrap_or(why).trim())
        }
        Seen::Ran { verdict, why, attempts } => {
            let all: Vec<_> = attempts.iter().map(|v| v.name()).collect();
            let all = if all.len() > 1 { format!(" ({})", all.join(", ")) } else { String::new() };
            let why = why.as_deref().map_or(String::new(), |why| format!(": {why}"));
            format!("{verdict}{all}{why}")
        }
    }
}

fn conclusion(b: &Bisection) -> String {
    let verdict = |at: usize| {
        let seen = b.tried.iter().find(|(n, _)| *n == at).map(|(_, seen)| seen);
        seen.and_then(Seen::verdict).map_or("unknown", |v| v.name())
    };
    let last = b.points.len() - 1;
    match b.found {
        Found::Change { at } => {
            format!(
                "{} changed it: {} before, {} with it",
                b.points[at],
                verdict(at - 1),
                verdict(at)
            )
        }
        Found::Among { first, last } => format!(
            "one of the {} from {} to {} changed it; those between do not build, so none can be blamed",
            last - first + 1,
            b.points[first],
            b.points[last]
        ),
        Found::Nowhere => format!(
            "nothing changed it: it is {} in {}, and was in {} already",
            verdict(last),
            b.points[last],
            b.points[0]
        ),
        Found::Flaky { at } => format!(
            "the test is flaky: on one and the same {} it ends differently each time, so nothing can be blamed",
            b.points[at]
        ),
    }
}
