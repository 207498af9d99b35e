//! Each rule broken on purpose, held against what was really seen.
//!
//! A rule that can be broken without any case noticing is only decoration. So
//! every case runs on an executor once; those that came out as the model says are
//! kept with what was seen. Then the model breaks one rule after another: some
//! kept case must now disagree with it.

use std::path::Path;

use svm_model::case::Case;
use svm_model::compare::compare;
use svm_model::cpu::{CpuSet, Platform};
use svm_model::model::{self, RuleSet, Trace};
use svm_model::outcome::Outcome;
use svm_model::rules::RuleId;

use super::judge::{differences, reached};
use super::kept;
use crate::Result;
use crate::catalogue;
use crate::exec::{Executor, Ran, platform_of};

/// A case on which the model agrees with what was seen, or is written down.
#[derive(Clone, Debug)]
pub struct Agreed {
    case: Case,
    platform: Platform,
    reached: RuleSet,
    truth: Truth,
}

#[derive(Clone, Debug)]
enum Truth {
    /// An executor did that.
    Seen(Ran),
    /// Somebody wrote that down, for as much as is named.
    Written(Outcome),
}

impl Agreed {
    /// The case, if the model agrees on it.
    fn new(case: &Case, platform: Platform, truth: Truth) -> Option<Agreed> {
        let mut trace = Trace::new(None);
        let expected = model::run_traced(case, &platform, &mut trace);
        let agreed = Agreed { case: case.clone(), platform, reached: reached(&trace), truth };
        (!agreed.contradicts(&expected)).then_some(agreed)
    }

    /// The case.
    pub fn case(&self) -> &Case {
        &self.case
    }

    /// Whether it disagrees with a model that breaks that rule.
    pub fn notices(&self, rule: RuleId) -> bool {
        self.reached.has(rule)
            && self.contradicts(&model::run_broken(&self.case, &self.platform, rule))
    }

    fn contradicts(&self, model: &Outcome) -> bool {
        match &self.truth {
            Truth::Seen(ran) => differences(model, ran.clone()).is_some(),
            // A model that says nothing where something is written down fails it.
            Truth::Written(expected) => !compare(expected, model).is_empty(),
        }
    }
}

/// Runs the cases; those that come out as the model says.
///
/// # Errors
/// As [`Executor::run`].
pub fn on(executor: &mut dyn Executor, cases: &[Case]) -> Result<Vec<Agreed>> {
    let offered = executor.platform(CpuSet::NONE)?;
    let mut all = Vec::new();
    executor.run(&cases.iter().collect::<Vec<_>>(), &mut |n, ran| {
        if !matches!(&ran, Ran::Skipped(_)) && !matches!(&ran, Ran::Broken(e, _) if e.is_fleeting())
        {
            let platform = platform_of(&offered, &cases[n]);
            all.extend(Agreed::new(&cases[n], platform, Truth::Seen(ran)));
        }
        Ok(())
    })?;
    Ok(all)
}

/// All that a broken model can be held to: what comes of the cases and of those
/// that are written down, and the expectations themselves.
///
/// # Errors
/// As [`on`] and [`written`].
pub fn agreed(
    executor: &mut dyn Executor,
    repo: &Path,
    mut cases: Vec<Case>,
) -> Result<Vec<Agreed>> {
    cases.extend(catalogue::all().into_iter().map(|entry| entry.case));
    let mut agreed = on(executor, &cases)?;
    agreed.extend(written(repo)?);
    Ok(agreed)
}

/// What is written down of cases: by hand, for CPUs that TCG is not as well, and in the kept files
/// of the checkout `repo`.
///
/// # Errors
/// As [`kept::load`].
pub fn written(repo: &Path) -> Result<Vec<Agreed>> {
    let mut entries = catalogue::all();
    entries.extend(catalogue::elsewhere());
    for (_, kept) in kept::load(repo)? {
        entries.push(kept.entry()?);
    }
    let agreed = entries.into_iter().filter_map(|entry| {
        let (expected, _) = entry.written?;
        Agreed::new(&entry.case, catalogue::assumed(&entry.case), Truth::Written(expected))
    });
    Ok(agreed.collect())
}

/// The first case that notices when that rule is broken.
pub fn witness(rule: RuleId, agreed: &[Agreed]) -> Option<&Agreed> {
    agreed.iter().find(|a| a.notices(rule))
}

#[cfg(test)]
mod tests {
    use svm_model::outcome::Obs;
    use svm_model::rules;

    use super::*;

    fn repo() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("harness lies in the checkout")
    }

    #[test]
    fn a_written_expectation_notices_a_broken_rule_that_it_tells_of() {
        let all = written(repo()).unwrap_or_else(|e| panic!("{e}"));
        let (hlt, _) = rules::named("intercept.hlt").expect("there is such a rule");
        let found = witness(hlt, &all).expect("some case is about HLT");
        assert!(found.reached.has(hlt));
    }

    #[test]
    fn the_model_agrees_with_what_is_written_of_other_cpus_and_each_tells_of_a_rule() {
        let all = written(repo()).unwrap_or_else(|e| panic!("{e}"));
        for entry in catalogue::elsewhere() {
            let id = &entry.case.id;
            let agreed = all.iter().find(|a| a.case.id == *id);
            let agreed = agreed.unwrap_or_else(|| panic!("the model does not agree on {id}"));
            let (_, about) = entry.written.as_ref().expect("a written case");
            assert!(about.rule().is_some(), "{id}");
            assert!(about.rules().all(|rule| agreed.notices(rule)), "{id}");
        }
    }

    #[test]
    fn what_was_seen_notices_only_what_the_model_then_says_otherwise() {
        let case = catalogue::all().swap_remove(0).case;
        let platform = catalogue::assumed(&case);
        let ran = Ran::Outcome(model::run(&case, &platform));
        let agreed = Agreed::new(&case, platform, Truth::Seen(ran)).expect("it is the model's");
        let (noticed, rest): (Vec<_>, Vec<_>) =
            rules::all().map(|(id, _)| id).partition(|id| agreed.notices(*id));
        assert!(!noticed.is_empty());
        assert!(rest.len() > noticed.len(), "one case cannot tell of most rules");
        let other = Ran::Outcome(Outcome { obs: vec![Obs::L1Reset] });
        assert!(Agreed::new(&case, platform, Truth::Seen(other)).is_none());
    }
}
