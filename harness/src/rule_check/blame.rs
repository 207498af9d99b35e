//! Which rule a difference breaks.
//!
//! The model can break any one of its rules on purpose. A rule whose breaking
//! makes the model show just what was seen explains the difference; of several
//! that do, the one is named that fails most often where cases go through it,
//! side by side with those where nothing is wrong.

use svm_model::case::Case;
use svm_model::compare::{Difference, compare};
use svm_model::model::{self, Trace};
use svm_model::outcome::{Obs, Outcome};
use svm_model::rules::{self, RuleId};

use super::judge::{Finding, reached};

/// The rule that is named for a difference, and how sure that is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blame {
    /// The rule; none only where the model went through none.
    pub rule: Option<RuleId>,
    /// How well it explains what was seen.
    pub fit: Fit,
}

/// How well a broken rule explains what was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// A model that breaks the rule shows exactly that.
    Exact,
    /// A model that breaks the rule differs at the same place first.
    Near,
    /// The case goes through the rule, and other cases that do also differ.
    #[default]
    Suspected,
}

/// Names a rule for each finding. `traces` are those of all cases that ran, by
/// the place of the case.
pub(super) fn all(findings: &mut [Finding], cases: &[&Case], traces: &[(usize, Trace)]) {
    let mut scores = Scores::default();
    let mut differing = findings.iter().map(|f| f.case).peekable();
    for (n, trace) in traces {
        scores.count(trace, differing.next_if_eq(n).is_some());
    }
    for finding in findings {
        let Ok(at) = traces.binary_search_by_key(&finding.case, |(n, _)| *n) else { continue };
        let trace = &traces[at].1;
        let candidates = candidates(finding, cases[finding.case], trace);
        let fit = candidates.iter().map(|c| c.1).min().unwrap_or_default();
        let best = candidates.iter().filter(|c| c.1 == fit).map(|c| c.0);
        let rule = best.max_by(|a, b| {
            let [a, b] = [a, b].map(|r| (scores.of(*r, trace), r.index()));
            // The earlier rule where both are as suspicious.
            a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))
        });
        finding.blame = Blame { rule, fit };
    }
}

/// Cases by rule and side: how many went through it, and how many of them differ.
struct Scores([Vec<(u32, u32)>; 2]);

impl Default for Scores {
    fn default() -> Self {
        Scores([vec![(0, 0); rules::COUNT], vec![(0, 0); rules::COUNT]])
    }
}

impl Scores {
    fn count(&mut self, trace: &Trace, differs: bool) {
        for (side, set) in [trace.held, trace.failed].iter().enumerate() {
            for rule in set.iter() {
                let (ran, differing) = &mut self.0[side][rule.index()];
                *ran += 1;
                *differing += u32::from(differs);
            }
        }
    }

    /// The share of cases that differ, on the side of `trace` where it is highest.
    fn of(&self, rule: RuleId, trace: &Trace) -> f64 {
        let sides = [trace.held, trace.failed];
        let share = |side: usize| {
            let (ran, differing) = self.0[side][rule.index()];
            f64::from(differing) / f64::from(ran.max(1))
        };
        (0..2).filter(|s| sides[*s].has(rule)).map(share).fold(0.0, f64::max)
    }
}

fn candidates(finding: &Finding, case: &Case, trace: &Trace) -> Vec<(RuleId, Fit)> {
    let seen = Outcome {
        obs: finding.observed.obs.iter().filter(|o| **o != Obs::Open).cloned().collect(),
    };
    let first = &finding.differences[0];
    let of = |rule: RuleId| {
        let broken = model::run_broken(case, &finding.platform, rule);
        (rule, fit(first, finding, &broken, &seen))
    };
    reached(trace).iter().map(of).collect()
}

fn fit(first: &Difference, finding: &Finding, broken: &Outcome, seen: &Outcome) -> Fit {
    // A model that says nothing there explains nothing.
    let says = broken.obs.iter().take(first.index + 1).all(|o| *o != Obs::Open);
    if !says || finding.ended.is_some() {
        return Fit::Suspected;
    }
    let left = compare(broken, seen);
    if left.is_empty() {
        return Fit::Exact;
    }
    let own = compare(&finding.expected, broken);
    let same_place = own.first().is_some_and(|d| (d.index, d.what) == (first.index, first.what));
    if same_place { Fit::Near } else { Fit::Suspected }
}
