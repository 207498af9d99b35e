//! Which cases go through a rule, and which of them notice when the model breaks it.

use std::num::NonZeroUsize;
use std::thread;

use svm_model::case::Case;
use svm_model::compare::compare;
use svm_model::coverage::platforms_for;
use svm_model::model::{self, Trace};
use svm_model::rules::{self, RuleId};

/// One rule's cases, by their places.
#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    /// Cases in which its condition held, or its effect took place.
    pub(super) held: usize,
    /// Cases in which its condition did not hold.
    pub(super) failed: usize,
    /// All that go through it.
    pub(super) reaching: Vec<usize>,
    /// Those that come out otherwise when it is broken.
    pub(super) noticing: Vec<usize>,
    /// Of these, those in which its condition held, or its effect took place.
    pub(super) noticing_held: Vec<usize>,
}

/// Every rule's cases, by the rule's number: each case runs once as it is, and once more for
/// each rule that it goes through, with that rule broken.
pub(super) fn of(cases: &[Case]) -> Vec<Reach> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let size = cases.len().div_ceil(threads).max(1);
    let mut all = vec![Reach::default(); rules::COUNT];
    thread::scope(|scope| {
        let part = |(n, part): (usize, _)| scope.spawn(move || some(part, n * size));
        let parts: Vec<_> = cases.chunks(size).enumerate().map(part).collect();
        for part in parts {
            let found = part.join().unwrap_or_else(|e| std::panic::resume_unwind(e));
            for (sum, one) in all.iter_mut().zip(found) {
                sum.held += one.held;
                sum.failed += one.failed;
                sum.reaching.extend(one.reaching);
                sum.noticing.extend(one.noticing);
                sum.noticing_held.extend(one.noticing_held);
            }
        }
    });
    all
}

/// [`of`] for some of the cases, the first of which has the place `first`.
fn some(cases: &[Case], first: usize) -> Vec<Reach> {
    let mut all = vec![Reach::default(); rules::COUNT];
    for (place, case) in (first..).zip(cases) {
        let mut trace = Trace::new(None);
        let mut runs = Vec::new();
        for platform in platforms_for(case) {
            let mut own = Trace::new(None);
            let outcome = model::run_traced(case, &platform, &mut own);
            trace.held.extend(&own.held);
            trace.failed.extend(&own.failed);
            runs.push((platform, own, outcome));
        }
        let notices = |rule: RuleId| {
            runs.iter().any(|(platform, own, outcome)| {
                (own.held.has(rule) || own.failed.has(rule))
                    && !compare(outcome, &model::run_broken(case, platform, rule)).is_empty()
            })
        };
        trace.held.iter().for_each(|rule| all[rule.index()].held += 1);
        trace.failed.iter().for_each(|rule| all[rule.index()].failed += 1);
        let mut reached = trace.held;
        reached.extend(&trace.failed);
        for rule in reached.iter() {
            all[rule.index()].reaching.push(place);
            if notices(rule) {
                all[rule.index()].noticing.push(place);
                if trace.held.has(rule) {
                    all[rule.index()].noticing_held.push(place);
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use svm_model::cases::FAMILIES;
    use svm_model::coverage::Coverage;

    use super::*;

    #[test]
    fn it_agrees_with_the_coverage_of_the_model() {
        let family = FAMILIES.iter().find(|family| family.name == "pause").unwrap();
        let cases = family.cases(0);
        let (coverage, reach) = (Coverage::of(&cases), of(&cases));
        for (id, rule) in rules::all() {
            let one = &reach[id.index()];
            let counts = (coverage.held(id) as usize, coverage.failed(id) as usize);
            assert_eq!((one.held, one.failed), counts, "{}", rule.id);
            let first = one.noticing.first().map(|n| &cases[*n].id);
            assert_eq!(first, coverage.witness(id, &cases).map(|case| &case.id), "{}", rule.id);
        }
        let some = |one: &Reach| (1..one.reaching.len()).contains(&one.noticing.len());
        assert!(reach.iter().any(some), "none goes through a rule and does not notice");
    }
}
