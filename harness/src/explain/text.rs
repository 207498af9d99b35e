//! An explanation for a person, 80 columns wide.

use std::fmt::Write;

use super::{Explanation, Group, Suspicion, Verdict};
use crate::host::wrap::wrapped;

/// The width of names, the two spaces in front of them included.
const NAMES: usize = 25;

/// All of it: what VMRUN does and why, the last exit, the fields.
pub fn text(e: &Explanation) -> String {
    let mut out = String::new();
    let broken = match e.broken.len() {
        1 => "1 rule is broken".to_owned(),
        n => format!("{n} rules are broken"),
    };
    let verdict = match e.verdict {
        Verdict::Accepted => "VMRUN accepts it".to_owned(),
        Verdict::Suspicious => "VMRUN accepts it, but look at what follows".to_owned(),
        Verdict::Refused => format!("VMRUN refuses it: {broken}"),
    };
    out += &wrapped(&format!("{verdict} (on {}).", e.cpu), "");
    for one in &e.broken {
        let _ = writeln!(out, "\n  {} ({})", one.rule, one.section);
        let would = match one.nearest {
            Some(nearest) => format!("{nearest:#x} would pass"),
            None => "no value of it would pass".to_owned(),
        };
        out += &wrapped(&format!("{} is {:#x}; {would}.", one.field, one.value), "    ");
        out += &wrapped(one.statement, "    ");
    }
    if !e.suspicious.is_empty() {
        out += "\nSuspicious\n";
    }
    for one in &e.suspicious {
        let mark = format!("  {:<width$}", one.field, width = NAMES - 2);
        out += &wrapped(&suspicion(one), &mark);
    }
    if let Some(exit) = &e.exit {
        out += "\n";
        out += &wrapped(exit, "");
    }
    for group in &e.groups {
        out += &fields(group);
    }
    out
}

/// The last exit alone, with what is suspicious of it.
pub fn last(e: &Explanation) -> String {
    let mut out = e.exit.as_deref().map_or(String::new(), |exit| wrapped(exit, ""));
    let about =
        |field: &str| e.groups.iter().any(|group| group.title == "Last exit" && group.has(field));
    for one in e.suspicious.iter().filter(|one| about(one.field)) {
        out += &wrapped(&format!("{} is {}", one.field, suspicion(one)), "");
    }
    out
}

fn suspicion(one: &Suspicion) -> String {
    format!("{:#x}: {} ({}).", one.value, one.what, one.section)
}

fn fields(group: &Group) -> String {
    let mut out = format!("\n{}\n", group.title);
    for row in &group.rows {
        let mark = format!("  {:<width$}", row.name, width = NAMES - 2);
        let colon = if row.words.is_empty() { "" } else { ":" };
        out += &wrapped(&format!("{:#x}{colon} {}", row.value, row.words), &mark);
    }
    if !group.zero.is_empty() {
        out += &wrapped(&group.zero.join(", "), "  zero: ");
    }
    out
}
