//! Which cases go through a rule, and which of them notice when the model breaks it.

use std::num::NonZeroUsize;
use std::thread;

use svm_model::case::Case;
use svm_model::compare::compare;
use svm_model::coverage::platforms_for;
use svm_model::cpu::Platform;
use svm_model::model::{self, Trace};
use svm_model::outcome::Outcome;
use svm_model::rules::{self, RuleId};

/// How many cases of each side of a rule are tried with the rule broken. A rule that thousands
/// go through is noticed by thousands; which, nobody reads.
const TRIED: usize = 200;

/// One rule's cases, by their places.
#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    /// Cases in which its condition held, or its effect took place.
    pub(super) held: usize,
    /// Cases in which its condition did not hold.
    pub(super) failed: usize,
    /// All that go through it.
    pub(super) reaching: Vec<usize>,
    /// Of these, those that were tried with the rule broken: all, or some of each side.
    pub(super) tried: Vec<usize>,
    /// Of these, those that came out otherwise.
    pub(super) noticing: Vec<usize>,
    /// Of these, those in which the condition held, or the effect took place.
    pub(super) noticing_held: Vec<usize>,
}

/// A case, run as it is.
struct Run {
    on: Vec<(Platform, Trace, Outcome)>,
    all: Trace,
}

/// Every rule's cases, by the rule's number.
pub(super) fn of(cases: &[Case]) -> Vec<Reach> {
    let runs = each(cases.len(), |n| run(&cases[n]));
    let ids: Vec<RuleId> = rules::all().map(|(id, _)| id).collect();
    each(ids.len(), |n| reach(ids[n], cases, &runs))
}

/// What `one` makes of each number below `count`, on every core.
fn each<T: Send>(count: usize, one: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let one = &one;
    // Neighbours cost alike: each thread takes every so manieth.
    let mut parts: Vec<_> = thread::scope(|scope| {
        let part = |first| {
            scope.spawn(move || (first..count).step_by(threads).map(one).collect::<Vec<T>>())
        };
        let parts: Vec<_> = (0..threads).map(part).collect();
        let ended = parts.into_iter().map(|part| part.join());
        ended
            .map(|part| part.unwrap_or_else(|e| std::panic::resume_unwind(e)).into_iter())
            .collect()
    });
    (0..count).filter_map(|n| parts[n % threads].next()).collect()
}

fn run(case: &Case) -> Run {
    let mut all = Trace::new(None);
    let mut on = Vec::new();
    for platform in platforms_for(case) {
        let mut own = Trace::new(None);
        let outcome = model::run_traced(case, &platform, &mut own);
        all.held.extend(&own.held);
        all.failed.extend(&own.failed);
        on.push((platform, own, outcome));
    }
    Run { on, all }
}

fn reach(rule: RuleId, cases: &[Case], runs: &[Run]) -> Reach {
    let those = |is: &dyn Fn(&Trace) -> bool| -> Vec<usize> {
        (0..runs.len()).filter(|n| is(&runs[*n].all)).collect()
    };
    let held = those(&|all| all.held.has(rule));
    let failed = those(&|all| all.failed.has(rule));
    let reaching = those(&|all| all.held.has(rule) || all.failed.has(rule));
    let notices = |n: &usize| notices(rule, &cases[*n], &runs[*n]);

    let mut tried: Vec<usize> = some(&held).chain(some(&failed)).collect();
    tried.sort_unstable();
    tried.dedup();
    let mut noticing: Vec<usize> = tried.iter().copied().filter(notices).collect();
    if noticing.is_empty() {
        let others = reaching.iter().copied().filter(|n| !tried.contains(n));
        noticing.extend(others.into_iter().find(notices));
        tried.extend(&noticing);
    }
    let noticing_held = noticing.iter().copied().filter(|n| runs[*n].all.held.has(rule)).collect();
    Reach { held: held.len(), failed: failed.len(), reaching, tried, noticing, noticing_held }
}

/// All of them, or [`TRIED`] that are spread over them.
fn some(places: &[usize]) -> impl Iterator<Item = usize> + '_ {
    let count = places.len().min(TRIED);
    (0..count).map(move |n| places[n * places.len() / count])
}

fn notices(rule: RuleId, case: &Case, run: &Run) -> bool {
    run.on.iter().any(|(platform, own, outcome)| {
        (own.held.has(rule) || own.failed.has(rule))
            && !compare(outcome, &model::run_broken(case, platform, rule)).is_empty()
    })
}

#[cfg(test)]
mod tests {
    use svm_model::cases::FAMILIES;
    use svm_model::coverage::Coverage;

    use super::*;

    #[test]
    fn of_many_places_some_are_taken_from_everywhere() {
        let places: Vec<usize> = (0..1000).map(|n| 3 * n).collect();
        let taken: Vec<usize> = some(&places).collect();
        assert_eq!((taken.len(), taken[0], taken[1], taken[199]), (200, 0, 15, 2985));
        assert_eq!(some(&places[..3]).collect::<Vec<_>>(), [0, 3, 6]);
        assert_eq!(some(&[]).count(), 0);
    }

    #[test]
    fn each_keeps_the_order() {
        assert_eq!(each(7, |n| n * n), [0, 1, 4, 9, 16, 25, 36]);
        assert_eq!(each(0, |n| n), [0; 0]);
    }

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
        let not_all = |one: &Reach| (1..one.reaching.len()).contains(&one.noticing.len());
        assert!(reach.iter().any(not_all), "none goes through a rule and does not notice");
    }
}
