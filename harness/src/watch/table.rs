//! What was seen, for a person: 80 columns, and as many rows as there are.

use std::fmt::Write;

use svm_model::vmcb::exit;

use super::check::{Checker, Found};
use super::count::{Counts, Exits, Refusal};
use super::follow::Look;
use crate::explain::exits;
use crate::host::wrap::{WIDTH, wrapped};
use crate::suites::refusals;

/// Rows of exits that are shown even where there is no room.
const LEAST: usize = 5;

/// The rows of the terminal, but for the last, where the cursor stays.
pub fn rows() -> Option<usize> {
    let (rows, _) = console::Term::stdout().size_checked()?;
    Some(usize::from(rows).saturating_sub(1))
}

/// The table, in that many rows; without a number, as many as it takes.
pub fn table(look: &Look<'_>, rows: Option<usize>) -> String {
    let counts = &look.counter.counts;
    let behind = behind(look);
    let head = head(look);
    let mut codes: Vec<_> = counts.exits.iter().collect();
    codes.sort_by_key(|(code, exits)| (std::cmp::Reverse(exits.count), **code));
    let taken = head.lines().count() + behind.lines().count() + 2;
    let room = rows.map_or(usize::MAX, |rows| rows.saturating_sub(taken).max(LEAST));
    let mut out = head;
    out += &format!(
        "\n{:<22}{:>11}{:>10}{:>8}{:>13}{:>13}\n",
        "exit", "count", "per s", "share", "L2 before", "L1 after"
    );
    for (code, exits) in codes.iter().take(room) {
        out += &row(look, **code, exits);
    }
    if codes.len() > room {
        let left: u64 = codes[room..].iter().map(|(_, exits)| exits.count).sum();
        out += &format!("{:<22}{left:>11}\n", format!("{} others", codes.len() - room));
    }
    out + &behind
}

fn head(look: &Look<'_>) -> String {
    let counts = &look.counter.counts;
    let (all, before) = (counts.all_exits(), look.before.all_exits());
    format!(
        "{:.WIDTH$}\n{:.1} s: {} guests entered, {all} exits, {} per second\n",
        look.title,
        look.seconds,
        counts.vmruns,
        per_second(all - before, look.interval)
    )
}

fn per_second(count: u64, seconds: f64) -> String {
    let rate = count as f64 / seconds.max(0.001);
    if rate > 0.0 && rate < 9.95 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}

fn row(look: &Look<'_>, code: u64, exits: &Exits) -> String {
    let before = look.before.exits.get(&code).map_or(0, |exits| exits.count);
    let all = look.counter.counts.all_exits().max(1);
    let time = |mean: Option<f64>| mean.map_or("-".into(), |micros| format!("{micros:.1} µs"));
    format!(
        "{:<22}{:>11}{:>10}{:>7.1}%{:>13}{:>13}\n",
        name(code),
        exits.count,
        per_second(exits.count - before, look.interval),
        100.0 * exits.count as f64 / all as f64,
        time(exits.l2.mean()),
        time(exits.l1.mean())
    )
}

fn name(code: u64) -> String {
    if code == exit::INVALID { "INVALID (refused)".into() } else { exits::name(code) }
}

/// What stands below the exits.
fn behind(look: &Look<'_>) -> String {
    let mut out = beside(&look.counter.counts);
    if !look.counter.refusals.is_empty() {
        out += "\nThe last refusals\n";
        look.counter.refusals.iter().for_each(|refusal| out += &refused(refusal));
    }
    if let Some(checker) = look.checker {
        out += &checked(checker);
    }
    out
}

fn beside(counts: &Counts) -> String {
    let mut out = String::new();
    if counts.injected > 0 {
        let _ = writeln!(out, "injected events: {}", counts.injected);
    }
    if !counts.flushes.is_empty() {
        let all: Vec<String> =
            counts.flushes.iter().map(|(cause, count)| format!("{cause} {count}")).collect();
        out += &wrapped(&all.join(", "), "flushes: ");
    }
    if counts.unreadable > 0 {
        let _ = writeln!(out, "{} lines of the trace cannot be read", counts.unreadable);
    }
    if out.is_empty() { out } else { format!("\n{out}") }
}

fn refused(refusal: &Refusal) -> String {
    let reasons: Vec<String> = refusal
        .reasons
        .iter()
        .map(|reason| match refusals::rule_of(reason) {
            Some(rule) => format!("{reason} ({rule})"),
            None => reason.clone(),
        })
        .collect();
    let why = if reasons.is_empty() { "no reason was given".into() } else { reasons.join("; ") };
    let (seconds, cpu, vmcb) = (refusal.seconds, refusal.cpu, refusal.vmcb);
    wrapped(&format!("processor {cpu}, VMCB {vmcb:#x}: {why}"), &format!("  {seconds:.1} s: "))
}

fn checked(checker: &Checker) -> String {
    let number = checker.checked;
    if checker.found.is_empty() {
        return format!("\nCheck: {number} VMRUNs as the manual says\n");
    }
    let mut out = format!("\nCheck: of {number} VMRUNs, not all as the manual says\n");
    checker.found.iter().for_each(|found| out += &difference(found));
    out
}

/// What QEMU does otherwise.
pub fn difference(found: &Found) -> String {
    let Found { rule, section, statement, cpu, vmcb, vmrun, what, times } = found;
    let mut out = wrapped(&format!("{rule} ({section}): {statement}"), "  ");
    let first = format!("first at VMRUN {vmrun}, processor {cpu}, VMCB {vmcb:#x}: {what}");
    out += &wrapped(&first, "    ");
    if *times > 1 {
        let _ = writeln!(out, "    {times} times");
    }
    out
}

/// An interval in one line, for a log.
pub fn brief(look: &Look<'_>) -> String {
    let counts = &look.counter.counts;
    let mut recent: Vec<(u64, u64)> = counts
        .exits
        .iter()
        .map(|(code, exits)| {
            let before = look.before.exits.get(code).map_or(0, |exits| exits.count);
            (exits.count - before, *code)
        })
        .filter(|(count, _)| *count > 0)
        .collect();
    recent.sort_by_key(|(count, code)| (std::cmp::Reverse(*count), *code));
    let all: u64 = recent.iter().map(|(count, _)| count).sum();
    let most = recent.iter().take(6);
    let most: String = most.map(|(count, code)| format!(" {} {count}", name(*code))).collect();
    let found = look.checker.map_or(0, |checker| checker.found.len());
    let differs = if found > 0 { format!("; {found} rules broken") } else { String::new() };
    let rate = per_second(all, look.interval);
    let most = if most.is_empty() { most } else { format!(":{most}") };
    format!("{:.1} s: {rate} exits per second{most}{differs}\n", look.seconds)
}
