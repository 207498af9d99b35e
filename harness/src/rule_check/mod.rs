//! The model against the executors, on the same cases.
//!
//! ```text
//! cases -> judge (executor, model) -> blame (a rule) -> group -> shrink -> report
//! ```
//!
//! [`judge`] runs cases and compares, [`blame`] names the rule that a difference
//! breaks, [`alone`] tells it from what another
//! case has left behind, [`shrink`] makes an example of each group small, [`text`],
//! [`markdown`] and [`json`] say it. [`kept`] holds small cases that once told
//! something, each with what must come of it.

pub mod alone;
pub mod blame;
pub mod json;
pub mod judge;
pub mod kept;
pub mod markdown;
pub mod mutate;
pub mod shrink;
pub mod soak;
pub mod taken_out;
pub mod text;
pub mod whole;

#[cfg(test)]
mod snapshots;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use svm_model::Feature;
use svm_model::case::Case;
use svm_model::cases::{self, random};
use svm_model::rules::RuleId;

use crate::exec::Executor;
use crate::exec::name::Name;
use crate::exec::place::Place;
use crate::host::console::Console;
use crate::host::glob::glob;
use crate::{Error, Kind, Result};
use alone::Behind;
use judge::{Judged, judge, judge_telling};
use shrink::Shrunk;

/// Which cases.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Only those of this feature.
    pub feature: Option<Feature>,
    /// Only these, by id or pattern with `*` and `?`.
    pub ids: Vec<String>,
    /// Seed of the random walks.
    pub seed: Option<u64>,
    /// How many random walks.
    pub walks: Option<usize>,
}

impl Choice {
    /// The cases that are chosen: of the generated ones, those that each pattern fits, and those
    /// that are named, whatever they follow from, in the order in which they are named.
    ///
    /// # Errors
    /// As [`kept::find`]; nothing ran, where no case is chosen.
    pub fn cases(&self, repo: &Path) -> Result<Vec<Case>> {
        let seed = self.seed.unwrap_or(cases::SEED);
        let mut all = cases::with_walks(seed, self.walks.unwrap_or(random::COUNT));
        if !self.ids.is_empty() {
            all = self
                .ids
                .iter()
                .map(|id| chosen(repo, &all, id))
                .collect::<Result<Vec<_>>>()?
                .concat();
            let mut seen = BTreeSet::new();
            all.retain(|case| seen.insert(case.id.clone()));
        }
        all.retain(|c| self.feature.is_none_or(|f| c.feature == f));
        if all.is_empty() {
            return Err(Error::new(Kind::NothingRan, "no case is chosen")
                .hint("`cargo xtask case list --generated` lists them all"));
        }
        Ok(all)
    }
}

/// Whether it stands for ids rather than being one.
pub fn is_pattern(id: &str) -> bool {
    id.contains(['*', '?'])
}

/// The cases of an id, or of a pattern among `all`.
fn chosen(repo: &Path, all: &[Case], id: &str) -> Result<Vec<Case>> {
    if is_pattern(id) {
        return Ok(all.iter().filter(|c| glob(id, &c.id)).cloned().collect());
    }
    match all.iter().find(|c| c.id == id) {
        Some(case) => Ok(vec![case.clone()]),
        None => Ok(vec![kept::find(repo, id)?]),
    }
}

/// Cases that differ because of one rule.
#[derive(Clone, Debug)]
pub struct Group {
    /// The rule; none where the model went through none.
    pub rule: Option<RuleId>,
    /// Places in [`Judged::findings`], in the order of the cases.
    pub findings: Vec<usize>,
    /// The smallest of them, made smaller still if asked.
    pub example: Shrunk,
    /// The id under which the example is found as it was.
    pub id: String,
}

/// One executor's differences.
#[derive(Clone, Debug)]
pub struct Side {
    /// `c` or `qemu`, and the build: `qemu stock-10.2.2`.
    pub name: String,
    /// The executor's name on a command line.
    pub on: Name,
    /// What it made of the cases.
    pub judged: Judged,
    /// Its differences by rule, the largest group first.
    pub groups: Vec<Group>,
    /// What differs only behind other cases, and is in no group.
    pub behind: Vec<Behind>,
}

impl Side {
    /// How many of its groups `known` has no reason for, and cases that differ behind others.
    pub fn news(&self, known: &dyn Fn(RuleId) -> Option<String>) -> usize {
        self.groups.iter().filter(|g| g.rule.and_then(known).is_none()).count() + self.behind.len()
    }
}

/// Runs the cases on one executor and groups what differs.
///
/// # Errors
/// As [`judge`].
pub fn run(place: &mut Place, cases: &[Case], shrinks: bool, console: &Console) -> Result<Side> {
    let (name, on) = (place.title(), place.name.clone());
    let executor: &mut dyn Executor = &mut *place.executor;
    let all: Vec<&Case> = cases.iter().collect();
    let total = all.len() as u64;
    let judged =
        judge_telling(executor, &all, &mut |done| console.progress(done as u64, total, &name));
    console.end_progress();
    let mut judged = judged?;
    let behind = alone::confirm(executor, &mut judged, cases)?;
    let mut groups = group(&judged, cases);
    if shrinks {
        let large = groups.iter().map(|g| g.example.clone()).collect();
        let small = shrink::shrink(large, &mut |tries| judge(executor, tries))?;
        groups.iter_mut().zip(small).for_each(|(group, example)| group.example = example);
    }
    Ok(Side { name, on, judged, groups, behind })
}

/// The findings by rule, the largest group first.
pub fn group(judged: &Judged, cases: &[Case]) -> Vec<Group> {
    let mut by_rule: BTreeMap<Option<RuleId>, Vec<usize>> = BTreeMap::new();
    for (n, finding) in judged.findings.iter().enumerate() {
        by_rule.entry(finding.blame.rule).or_default().push(n);
    }
    let mut groups: Vec<Group> = by_rule
        .into_iter()
        .map(|(rule, findings)| {
            let example = example(judged, cases, &findings);
            let id = cases::lasting_id(&example.case);
            Group { rule, findings, example, id }
        })
        .collect();
    groups.sort_by_key(|g| std::cmp::Reverse(g.findings.len()));
    groups
}

/// The smallest of some findings, one that is explained well rather than not.
fn example(judged: &Judged, cases: &[Case], findings: &[usize]) -> Shrunk {
    let size = |n: &&usize| {
        let finding = &judged.findings[**n];
        let case = &cases[finding.case];
        (finding.blame.fit, case.program.len() + case.steps.len())
    };
    let n = *findings.iter().min_by_key(size).expect("a group has a finding");
    let finding = judged.findings[n].clone();
    Shrunk { case: cases[finding.case].clone(), finding }
}
