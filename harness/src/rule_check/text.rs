//! Differences as text.

use std::ffi::OsStr;
use std::fmt::Write;

use svm_model::case::Case;
use svm_model::compare::{compare, describe};
use svm_model::outcome::Outcome;
use svm_model::rules::{Rule, RuleId, Source};

use super::alone;
use super::blame::Fit;
use super::judge::Finding;
use super::{Group, Side};
use crate::exec::name::Name;
use crate::exec::{Ran, render};
use crate::host::process::quote;
use crate::host::wrap::wrapped;

/// A summary line, then every group, the largest first.
pub fn side(side: &Side, cases: &[Case], known: &dyn Fn(RuleId) -> Option<String>) -> String {
    let mut text = headline(side);
    for one in &side.groups {
        text.push('\n');
        text += &group(one, &side.on, known);
    }
    text + &behind(side, cases)
}

/// What differs only behind other cases.
fn behind(side: &Side, cases: &[Case]) -> String {
    let all = format!("cargo xtask conform --on {}, with the same --seed and --cases", side.on);
    let told = alone::told(&side.behind, cases, &side.on, &all);
    told.iter().map(|one| format!("\n{one}")).collect()
}

/// How many cases ran, and what became of them.
fn headline(side: &Side) -> String {
    let judged = &side.judged;
    let reached = judged.tallies.iter().filter(|t| t.reached > 0).count();
    let broken = side.groups.iter().filter(|g| g.rule.is_some()).count();
    let untold = match judged.untold {
        0 => String::new(),
        n => format!(", {n} not to their end"),
    };
    format!(
        "{}: {} cases ran{untold}, {} skipped; {} differ; {reached} rules reached, {broken} broken\n",
        side.name,
        judged.ran,
        judged.skipped,
        judged.findings.len(),
    )
}

/// Rules that are listed on one screen.
const LISTED: usize = 20;
/// Examples that are shown in full there.
const SHOWN: usize = 2;

/// [`side`] on one screen: a line a rule that is broken, an example of those that
/// no known failure explains, and the verdict.
pub fn brief(side: &Side, cases: &[Case], known: &dyn Fn(RuleId) -> Option<String>) -> String {
    let mut text = headline(side);
    let is_news = |g: &&Group| g.rule.and_then(known).is_none();
    let (news, old): (Vec<&Group>, Vec<&Group>) = side.groups.iter().partition(is_news);
    if !side.groups.is_empty() {
        text.push('\n');
    }
    for one in news.iter().chain(&old).take(LISTED) {
        let name = one.rule.map_or_else(|| "no rule".to_owned(), |rule| rule.to_string());
        let mark = if one.rule.and_then(known).is_some() { "known" } else { "" };
        let section = one.rule.map_or("", |rule| rule.rule().section);
        let _ = writeln!(text, "{:>6}  {name:<44} {section:<10} {mark}", one.findings.len());
    }
    if side.groups.len() > LISTED {
        let _ = writeln!(text, "        and {} more rules", side.groups.len() - LISTED);
    }
    for one in news.iter().take(SHOWN) {
        text.push('\n');
        text += &group(one, &side.on, known);
    }
    text += &behind(side, cases);
    let rest = "every rule with an example: -v; as data: --json FILE; one case: --case ID";
    let verdict = match (side.groups.len(), news.len()) {
        (_, 0) if !side.behind.is_empty() => {
            format!("DIFFERS: {} cases are not alike alone and behind others", side.behind.len())
        }
        (0, _) => "AGREES with the model in every case".to_owned(),
        (n, 0) => format!("AGREES but for what is known: {n} rules"),
        (_, n) => format!("DIFFERS: {n} rules are broken that no known failure explains"),
    };
    text + &format!("\n{verdict}\n{rest}\n")
}

/// One group: the rule, how many cases, the example, and the command that runs it again.
pub fn group(group: &Group, on: &Name, known: &dyn Fn(RuleId) -> Option<String>) -> String {
    let Group { rule, findings, example, id } = group;
    let mut text = match rule {
        None => format!("no rule: {} cases\n", findings.len()),
        Some(rule) => format!("{}: {} cases\n{}", rule, findings.len(), why(rule.rule())),
    };
    if let Some(reason) = rule.and_then(known) {
        let _ = writeln!(text, "  known: {reason}");
    }
    let surety = match example.finding.blame.fit {
        Fit::Exact => "breaking this rule in the model shows exactly what was seen",
        Fit::Near => "breaking this rule in the model changes the same place",
        Fit::Suspected => "suspected: cases that go through this rule differ most",
    };
    let _ = writeln!(text, "  {surety}");
    indent(&render::case(&example.case), &mut text);
    for difference in example.finding.differences.iter().take(6) {
        let _ = writeln!(text, "    {difference}");
    }
    let (id, on) = (quote(OsStr::new(id)), quote(OsStr::new(&on.to_string())));
    let _ = writeln!(text, "  again: cargo xtask conform --on {on} \\\n    --case {id}");
    text
}

/// What the rule says, where, and what decides it where the manual does not.
pub fn why(rule: &Rule) -> String {
    let mut text = format!("  APM {}: {}\n", rule.section, rule.statement);
    if let Source::Silent { decided_by, reasoning } = rule.source {
        let _ = writeln!(text, "  decided by {decided_by}: {reasoning}");
    }
    text
}

fn indent(lines: &str, text: &mut String) {
    for line in lines.lines() {
        let _ = writeln!(text, "  {line}");
    }
}

/// A case, and what each executor made of it beside what must come of it: all of it, or what
/// differs and what one wants to see anyway.
pub fn whole(
    case: &Case,
    expected: &Outcome,
    rules: &[String],
    seen: &[(String, Ran)],
    all: bool,
) -> String {
    let mut text = render::case(case);
    text += &match all {
        true => wrapped(&rules.join(", "), "  decided by "),
        false => format!("  decided by {} rules (-v)\n", rules.len()),
    };
    let _ = write!(text, "  the model\n{}", render::outcome(expected));
    for (name, ran) in seen {
        let outcome = ran.seen();
        let verdict = match (ran.why(), compare(expected, &outcome).len()) {
            (Some(why), _) => why,
            (None, 0) => "as it must be".to_owned(),
            (None, n) => format!("{n} differences"),
        };
        let beside = render::side_by_side(expected, &outcome, all);
        let _ = write!(text, "  {name}: {verdict}\n{beside}");
    }
    text
}

/// A finding in one line.
pub fn line(finding: &Finding) -> String {
    match (&finding.ended, finding.differences.first()) {
        (_, Some(first)) => first.to_string(),
        (Some(end), None) => end.to_string(),
        (None, None) => finding.observed.obs.iter().map(describe).collect::<Vec<_>>().join(", "),
    }
}
