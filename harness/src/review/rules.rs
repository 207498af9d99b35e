//! Which rules of the model change sides, and at which patch.
//!
//! Every generated case runs on the base and with the whole series; each that
//! differs from the model is put down to the rule that it breaks. The cases
//! that differ on one end only are then looked for between.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use svm_model::rules;

use super::Review;
use super::walk::Built;
use crate::row::{Bench, Breach};
use crate::{Env, Result};

/// A rule that a patch makes QEMU obey or break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleChange {
    /// The rule.
    pub rule: String,
    /// Its section of the manual.
    pub section: String,
    /// Cases that break it before the patch.
    pub before: usize,
    /// Cases that break it with the patch.
    pub after: usize,
    /// One of the cases that changed.
    pub example: String,
    /// Patches before this one that do not build, and may be to blame as well.
    pub or_earlier: Vec<u32>,
}

impl RuleChange {
    /// QEMU obeyed it, as far as the cases tell, and does not any more.
    pub fn is_worse(&self) -> bool {
        self.before == 0 && self.after > 0
    }
}

/// Fills in the rules of each patch; says nothing where no cases can be run.
pub(super) fn walk(
    env: &Env,
    bench: &mut dyn Bench,
    built: &[Built],
    review: &mut Review,
) -> Result<()> {
    let last = built.len() - 1;
    env.console.step("holding both ends to the model's rules");
    let (Some(base), Some(tip)) =
        (bench.rules(&built[0].qemu, None)?, bench.rules(&built[last].qemu, None)?)
    else {
        return Ok(());
    };
    let (base, tip) = (by_case(base), by_case(tip));
    // A case that a busy machine spoilt must not be laid at a patch's door.
    let odd = |a: &Cases, b: &Cases| {
        a.keys().filter(|c| !b.contains_key(*c)).cloned().collect::<Vec<String>>()
    };
    let (fixed, broken) = (odd(&base, &tip), odd(&tip, &base));
    let mut steady = again(bench, &built[0], &fixed)?;
    steady.extend(again(bench, &built[last], &broken)?);
    let mut rule_of = base.clone();
    rule_of.extend(tip);
    let mut search = Search { bench, built, rule_of, placed: Vec::new() };
    let first: BTreeSet<String> =
        steady.iter().filter(|c| base.contains_key(*c)).cloned().collect();
    let end: BTreeSet<String> = steady.difference(&first).cloned().collect();
    search.between((0, &first), (last, &end))?;
    let (rule_of, placed) = (search.rule_of, search.placed);
    write_down(review, built, &base, &rule_of, placed);
    Ok(())
}

/// The rule that each differing case breaks.
type Cases = BTreeMap<String, String>;

fn by_case(breaches: Vec<Breach>) -> Cases {
    breaches.into_iter().map(|b| (b.case, b.rule)).collect()
}

/// Of `cases`, which differ at `at`, those that do so a second time.
fn again(bench: &mut dyn Bench, at: &Built, cases: &[String]) -> Result<BTreeSet<String>> {
    if cases.is_empty() {
        return Ok(BTreeSet::new());
    }
    let breaches = bench.rules(&at.qemu, Some(cases))?.unwrap_or_default();
    Ok(breaches.into_iter().map(|b| b.case).collect())
}

struct Search<'a> {
    bench: &'a mut dyn Bench,
    built: &'a [Built],
    rule_of: Cases,
    /// Point, case, and whether it differs from there on.
    placed: Vec<(usize, String, bool)>,
}

impl Search<'_> {
    /// Each end: its place, and the cases that differ there, of those that
    /// change somewhere between.
    fn between(
        &mut self,
        (low, at_low): (usize, &BTreeSet<String>),
        (high, at_high): (usize, &BTreeSet<String>),
    ) -> Result<()> {
        let changing: Vec<String> = at_low.symmetric_difference(at_high).cloned().collect();
        if changing.is_empty() {
            return Ok(());
        }
        if high - low == 1 {
            let differs = |case: &String| at_high.contains(case);
            self.placed.extend(changing.into_iter().map(|c| (high, c.clone(), differs(&c))));
            return Ok(());
        }
        let middle = usize::midpoint(low, high);
        let at_middle: BTreeSet<String> = match self.built[middle].qemu.digest {
            ref d if *d == self.built[low].qemu.digest => at_low.clone(),
            _ => {
                let seen = self.bench.rules(&self.built[middle].qemu, Some(&changing))?;
                let seen = seen.unwrap_or_default().into_iter().map(|b| b.case);
                // What is the same at both ends is the same between.
                seen.chain(at_low.intersection(at_high).cloned()).collect()
            }
        };
        self.between((low, at_low), (middle, &at_middle))?;
        self.between((middle, &at_middle), (high, at_high))
    }
}

/// Counts along the row, and writes each rule down at the patch where its count
/// changes.
fn write_down(
    review: &mut Review,
    built: &[Built],
    base: &Cases,
    rule_of: &Cases,
    mut placed: Vec<(usize, String, bool)>,
) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    base.values().for_each(|rule| *counts.entry(rule).or_default() += 1);
    placed.sort();
    for n in 1..built.len() {
        let mut here: BTreeMap<&str, Vec<(&String, bool)>> = BTreeMap::new();
        for (_, case, differs) in placed.iter().filter(|(at, ..)| *at == n) {
            let rule = rule_of.get(case).map_or("", String::as_str);
            here.entry(rule).or_default().push((case, *differs));
        }
        for (rule, cases) in here {
            let before = counts.get(rule).copied().unwrap_or(0);
            let more = cases.iter().filter(|(_, differs)| *differs).count();
            let after = (before + more).saturating_sub(cases.len() - more);
            counts.insert(rule, after);
            let (from, to) = (built[n - 1].at, built[n].at);
            let change = RuleChange {
                rule: rule.to_owned(),
                section: section(rule).to_owned(),
                before,
                after,
                example: cases[0].0.clone(),
                or_earlier: (from + 1..to).map(|p| review.patches[p - 1].number).collect(),
            };
            review.patches[to - 1].rules.push(change);
        }
    }
}

fn section(rule: &str) -> &'static str {
    rules::all().find(|(_, r)| r.id == rule).map_or("", |(_, r)| r.section)
}
