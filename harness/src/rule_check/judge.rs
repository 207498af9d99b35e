//! What executors make of cases, held against the model.

use svm_model::case::Case;
use svm_model::compare::{Difference, What, compare, describe};
use svm_model::cpu::{CpuSet, Platform};
use svm_model::model::{self, RuleSet, Trace};
use svm_model::outcome::{Obs, Outcome};
use svm_model::rules::{self, RuleId};

use super::blame::{self, Blame};
use crate::Result;
use crate::exec::{End, Executor, Ran, platform_of};

/// A case that came out otherwise than the model says.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Place of the case in the list.
    pub case: usize,
    /// The processor that the executor offered.
    pub platform: Platform,
    /// What the model says.
    pub expected: Outcome,
    /// What was seen, up to the end that the case came to.
    pub observed: Outcome,
    /// How it ended, if not by itself.
    pub ended: Option<End>,
    /// Every difference; at least one.
    pub differences: Vec<Difference>,
    /// The rule that is broken.
    pub blame: Blame,
}

/// How often cases went through a rule on one executor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cases that ran and went through it.
    pub reached: u32,
    /// Of these, cases that differ because of it.
    pub broken: u32,
}

/// What one executor made of all cases.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// Cases that ran.
    pub ran: usize,
    /// Cases whose processor was not to be had.
    pub skipped: usize,
    /// Cases of which the executor could not tell the end, where the model can.
    pub untold: usize,
    /// Cases that differ, in the order of the cases.
    pub findings: Vec<Finding>,
    /// By rule.
    pub tallies: Vec<Tally>,
}

/// Runs the cases and holds what is seen against the model.
///
/// # Errors
/// As [`Executor::run`].
pub fn judge(executor: &mut dyn Executor, cases: &[&Case]) -> Result<Judged> {
    judge_telling(executor, cases, &mut |_| {})
}

/// [`judge`]; `tell` hears how many cases are done.
///
/// # Errors
/// As [`Executor::run`].
pub fn judge_telling(
    executor: &mut dyn Executor,
    cases: &[&Case],
    tell: &mut dyn FnMut(usize),
) -> Result<Judged> {
    let offered = executor.platform(CpuSet::NONE)?;
    let mut judged = Judged::default();
    let mut traces: Vec<(usize, Trace)> = Vec::new();
    executor.run(cases, &mut |n, ran| {
        tell(judged.ran + judged.skipped);
        if matches!(ran, Ran::Skipped(_)) {
            judged.skipped += 1;
            return Ok(());
        }
        judged.ran += 1;
        let platform = platform_of(&offered, cases[n]);
        let mut trace = Trace::new(None);
        let expected = model::run_traced(cases[n], &platform, &mut trace);
        traces.push((n, trace));
        judged.untold += usize::from(untold(&expected, &ran));
        if let Some((observed, ended, differences)) = differences(&expected, ran) {
            let blame = Blame::default();
            let case = n;
            let finding = Finding { case, platform, expected, observed, ended, differences, blame };
            judged.findings.push(finding);
        }
        Ok(())
    })?;
    judged.findings.sort_by_key(|f| f.case);
    traces.sort_by_key(|(n, _)| *n);
    blame::all(&mut judged.findings, cases, &traces);
    judged.tallies = tallies(&judged.findings, &traces);
    Ok(judged)
}

/// Whether the executor leaves open what the model knows.
fn untold(expected: &Outcome, ran: &Ran) -> bool {
    matches!(ran, Ran::Open(seen) if expected.obs.get(seen.obs.len()) != Some(&Obs::Open))
}

/// What differs, with what was seen and how it ended; none where all agrees.
pub(super) fn differences(
    expected: &Outcome,
    ran: Ran,
) -> Option<(Outcome, Option<End>, Vec<Difference>)> {
    // An executor that cannot tell what follows has said all that it can.
    let open = matches!(ran, Ran::Open(_));
    let (observed, ended) = match ran.expecting(expected) {
        Ran::Outcome(seen) | Ran::Open(seen) => (seen, None),
        Ran::Broken(end, seen) => (seen, Some(end)),
        Ran::Skipped(_) => return None,
    };
    let said = observed.obs.len();
    let mut found = compare(expected, &observed);
    if open {
        found.retain(|d| d.index < said);
    }
    if let Some(end) = &ended {
        found.retain(|d| d.index < said);
        let next = expected.obs.get(said);
        if !(next == Some(&Obs::Open) && end.may_be_where_all_is_open()) {
            found.push(Difference {
                index: said,
                what: What::Observation,
                expected: next.map_or_else(|| "the end".into(), describe),
                observed: end.to_string(),
            });
        }
    }
    (!found.is_empty()).then_some((observed, ended, found))
}

fn tallies(findings: &[Finding], traces: &[(usize, Trace)]) -> Vec<Tally> {
    let mut tallies = vec![Tally::default(); rules::COUNT];
    for (_, trace) in traces {
        reached(trace).iter().for_each(|r| tallies[r.index()].reached += 1);
    }
    for rule in findings.iter().filter_map(|f| f.blame.rule) {
        tallies[rule.index()].broken += 1;
    }
    tallies
}

/// The rules of a run, on any side.
pub(super) fn reached(trace: &Trace) -> RuleSet {
    let mut all = trace.held;
    all.extend(&trace.failed);
    all
}

/// Whether the finding is that the executor itself died or hung.
pub fn is_fatal(finding: &Finding) -> bool {
    finding.ended.as_ref().is_some_and(|end| *end != End::Shutdown)
}

/// The tally of a rule.
pub fn tally(judged: &Judged, rule: RuleId) -> Tally {
    judged.tallies.get(rule.index()).copied().unwrap_or_default()
}
