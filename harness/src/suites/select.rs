//! Which tests of a plan are wanted.

use serde::{Deserialize, Serialize};
use svm_model::Feature;

use crate::host::glob::glob;
use crate::suites::Job;

/// Filters; an empty one lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Patterns for the test's name, or for `CONFIGURATION/TEST`; one that
    /// begins with `!` leaves out.
    pub tests: Vec<String>,
    /// Patterns for the unit or configuration.
    pub units: Vec<String>,
    /// Features.
    pub features: Vec<Feature>,
    /// Suites.
    pub suites: Vec<String>,
}

impl Selection {
    /// Whether no test of a chosen suite is filtered out.
    pub fn takes_whole_suites(&self) -> bool {
        self.tests.is_empty() && self.units.is_empty() && self.features.is_empty()
    }

    /// Whether `suite` has a chance.
    pub fn suite(&self, suite: &str) -> bool {
        self.suites.is_empty() || self.suites.iter().any(|s| s == suite)
    }

    /// Whether a test is wanted.
    pub fn test(&self, config: &str, test: &str, feature: Option<Feature>) -> bool {
        let full = format!("{config}/{test}");
        let named = |p: &str| glob(p, test) || glob(p, &full);
        let mut out = self.tests.iter().filter_map(|p| p.strip_prefix('!'));
        let mut chosen = self.tests.iter().filter(|p| !p.starts_with('!')).peekable();
        let about = |f: &Feature| feature == Some(*f);
        !out.any(named)
            && (chosen.peek().is_none() || chosen.any(|p| named(p)))
            && (self.units.is_empty() || self.units.iter().any(|p| glob(p, config)))
            && (self.features.is_empty() || self.features.iter().any(about))
    }

    /// The wanted part of a plan; a job of many tests keeps the wanted ones.
    pub fn jobs(&self, mut jobs: Vec<Job>) -> Vec<Job> {
        for job in &mut jobs {
            let Job { config, tests, .. } = job;
            tests.retain(|p| self.test(config, &p.test, p.feature));
        }
        jobs.retain(|job| !job.tests.is_empty());
        jobs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_must_let_a_test_through() {
        let lbrv = Some(Feature::Lbrv);
        assert!(Selection::default().test("svm", "a", None));
        let only = Selection { features: vec![Feature::Lbrv], ..Selection::default() };
        assert!(only.test("svm", "a", lbrv) && !only.test("svm", "a", None));
        let both = Selection { tests: vec!["svm/a*".into()], ..only };
        assert!(both.test("svm", "ab", lbrv) && !both.test("svm_npt", "ab", lbrv));
        let not = Selection { tests: vec!["!a".into(), "!svm/b".into()], ..Selection::default() };
        assert!(!not.test("svm", "a", None) && !not.test("svm", "b", None));
        assert!(not.test("svm_npt", "b", None));
        let unit = Selection { units: vec!["svm".into()], ..Selection::default() };
        assert!(unit.test("svm", "x", None) && !unit.test("svm_npt", "x", None));
    }
}
