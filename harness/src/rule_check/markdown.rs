//! Differences as tables: what the kvm-unit-tests failures come from, and what
//! they do not find.

use std::fmt::Write;

use serde::Deserialize;
use svm_model::rules;

use super::{Group, Side, text};
use crate::host::error::Context;
use crate::{Error, Kind, Result};

/// kvm-unit-tests' failures on stock QEMU, and the rules that they break.
const TABLE: &str = include_str!("../../data/kvm-unit-tests-rules.toml");

/// One failure.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The test.
    pub test: String,
    /// How it fails.
    pub says: String,
    /// The rules that are broken there.
    pub rules: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failures {
    failure: Vec<Failure>,
}

/// Every failure.
///
/// # Errors
/// Harness, when one names a rule that there is not.
pub fn failures() -> Result<Vec<Failure>> {
    let all: Failures = toml::from_str(TABLE)
        .doing(Kind::Harness, || "reading kvm-unit-tests-rules.toml".into())?;
    for rule in all.failure.iter().flat_map(|f| &f.rules) {
        if rules::named(rule).is_none() {
            return Err(Error::new(Kind::Harness, format!("there is no rule {rule}")));
        }
    }
    Ok(all.failure)
}

/// The tables for one executor.
///
/// # Errors
/// As [`failures`].
pub fn tables(side: &Side) -> Result<String> {
    let failures = failures()?;
    let judged = &side.judged;
    let mut out = format!(
        "{}: {} generated cases ran, {} differ; {} rules are broken.\n\n",
        side.name,
        judged.ran,
        judged.findings.len(),
        side.groups.iter().filter(|g| g.rule.is_some()).count(),
    );
    out += "## What fails in kvm-unit-tests, and the rule that is broken\n\n";
    out += "| test | how it fails | broken rules | cases that differ |\n|---|---|---|---:|\n";
    for failure in &failures {
        let groups: Vec<&Group> = failure.rules.iter().filter_map(|r| named(side, r)).collect();
        let cases: usize = groups.iter().map(|g| g.findings.len()).sum();
        let rules = failure.rules.iter().map(|r| format!("`{r}`")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "| `{}` | {} | {rules} | {cases} |", failure.test, failure.says);
    }
    out += "\n## What it does not find\n\n";
    out += "| rule | APM vol. 2 | what the hardware does | seen instead | cases |\n|---|---|---|---|---:|\n";
    let named = |g: &&Group| {
        g.rule.is_some_and(|r| !failures.iter().any(|f| f.rules.iter().any(|x| *x == r.rule().id)))
    };
    for group in side.groups.iter().filter(named) {
        let Some(rule) = group.rule.map(|r| r.rule()) else { continue };
        let seen = text::line(&group.example.finding).replace('|', "\\|");
        let statement = rule.statement.replace('|', "\\|");
        let _ = writeln!(
            out,
            "| `{}` | {} | {statement} | {seen} | {} |",
            rule.id,
            rule.section,
            group.findings.len()
        );
    }
    Ok(out)
}

fn named<'a>(side: &'a Side, rule: &str) -> Option<&'a Group> {
    side.groups.iter().find(|g| g.rule.is_some_and(|r| r.rule().id == rule))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_failure_names_rules_that_there_are() {
        let all = super::failures().unwrap_or_else(|e| panic!("{e}"));
        assert!(all.iter().all(|f| !f.rules.is_empty() && !f.says.is_empty()));
    }
}
