//! Differences as data.

use serde::Serialize;
use svm_model::case::Case;
use svm_model::rules::Source;

use super::alone::Behind;
use super::{Side, text};
use crate::host::error::Context;
use crate::{Kind, Result};

#[derive(Serialize)]
struct SideJson<'a> {
    executor: &'a str,
    ran: usize,
    skipped: usize,
    /// Not to their end, which the executor cannot tell.
    untold: usize,
    differ: usize,
    rules_reached: usize,
    rules: Vec<GroupJson<'a>>,
    /// What differs only behind other cases.
    behind: Vec<BehindJson<'a>>,
}

#[derive(Serialize)]
struct BehindJson<'a> {
    case: CaseJson<'a>,
    /// The cases before it that it takes; none where it did not differ again.
    before: Vec<&'a str>,
}

#[derive(Serialize)]
struct GroupJson<'a> {
    rule: Option<&'static str>,
    section: Option<&'static str>,
    statement: Option<&'static str>,
    decided_by: Option<&'static str>,
    fit: String,
    cases: Vec<CaseJson<'a>>,
    example: &'a Case,
    differences: Vec<String>,
}

#[derive(Serialize)]
struct CaseJson<'a> {
    id: &'a str,
    first: String,
}

/// All sides as JSON.
///
/// # Errors
/// Harness.
pub fn json(sides: &[Side], cases: &[Case]) -> Result<String> {
    let sides: Vec<SideJson<'_>> = sides.iter().map(|side| of(side, cases)).collect();
    serde_json::to_string_pretty(&sides).doing(Kind::Harness, || "writing JSON".into())
}

fn of<'a>(side: &'a Side, cases: &'a [Case]) -> SideJson<'a> {
    let judged = &side.judged;
    let group = |g: &'a super::Group| {
        let rule = g.rule.map(|r| r.rule());
        let case = |n: &usize| {
            let finding = &judged.findings[*n];
            CaseJson { id: &cases[finding.case].id, first: text::line(finding) }
        };
        GroupJson {
            rule: rule.map(|r| r.id),
            section: rule.map(|r| r.section),
            statement: rule.map(|r| r.statement),
            decided_by: rule.and_then(|r| match r.source {
                Source::Manual => None,
                Source::Silent { decided_by, .. } => Some(decided_by),
            }),
            fit: format!("{:?}", g.example.finding.blame.fit).to_lowercase(),
            cases: g.findings.iter().map(case).collect(),
            example: &g.example.case,
            differences: g.example.finding.differences.iter().map(ToString::to_string).collect(),
        }
    };
    let behind = |b: &'a Behind| BehindJson {
        case: CaseJson { id: &cases[b.finding.case].id, first: text::line(&b.finding) },
        before: b.before.iter().map(|n| cases[*n].id.as_str()).collect(),
    };
    SideJson {
        executor: &side.name,
        ran: judged.ran,
        skipped: judged.skipped,
        untold: judged.untold,
        differ: judged.findings.len(),
        rules_reached: judged.tallies.iter().filter(|t| t.reached > 0).count(),
        rules: side.groups.iter().map(group).collect(),
        behind: side.behind.iter().map(behind).collect(),
    }
}
