//! What we say about the suite's tests: `harness/data/kvm-unit-tests.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use svm_model::Feature;

use crate::host::error::Context;
use crate::{Kind, Result};

/// The data file.
const TEXT: &str = include_str!("../../../data/kvm-unit-tests.toml");

/// Features of tests, and runs beyond those that the tree names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// The units run by default: those whose image's name begins so.
    pub image_prefix: String,
    /// Tests of each feature.
    pub features: BTreeMap<Feature, Vec<String>>,
    /// Tests that measure time, and fail when something else keeps a core busy.
    #[serde(default)]
    pub timed: Vec<String>,
    /// Tests that a unit's own filter leaves out and that are run by name.
    #[serde(default)]
    pub include: Vec<Include>,
    /// Runs of several tests, or with other arguments.
    #[serde(default)]
    pub also: Vec<Also>,
    /// What is special about running a unit whole.
    #[serde(default)]
    pub whole: Vec<Whole>,
}

/// How a unit is run whole.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whole {
    /// The unit.
    pub unit: String,
    /// Its time limit in seconds, where the tree's or the usual one is too short for TCG.
    pub seconds: Option<u64>,
    /// Whether it measures time, see [`Catalog::timed`].
    #[serde(default)]
    pub timed: bool,
    /// Why.
    pub why: String,
}

/// A test that its unit leaves out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Include {
    /// The units.
    pub units: Vec<String>,
    /// The test.
    pub test: String,
    /// Why it is run nevertheless.
    pub why: String,
}

/// A run that the tree does not name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Also {
    /// The units.
    pub units: Vec<String>,
    /// What it is called.
    pub name: String,
    /// The guest's arguments.
    pub args: String,
    /// Virtual CPUs, where other than the unit's.
    pub smp: Option<u32>,
    /// The time limit in seconds, where a hang is the likely failure.
    pub seconds: Option<u64>,
    /// What it is about.
    pub feature: Feature,
    /// Why it is run.
    pub why: String,
}

impl Catalog {
    /// The one that is part of this program.
    ///
    /// # Errors
    /// Harness, when the data file is wrong.
    pub fn built_in() -> Result<Self> {
        let doing = || "reading harness/data/kvm-unit-tests.toml".into();
        toml::from_str(TEXT).doing(Kind::Harness, doing)
    }

    /// The feature of a test; none for one that is not classified yet.
    pub fn feature(&self, test: &str) -> Option<Feature> {
        let has = |tests: &&Vec<String>| tests.iter().any(|t| t == test);
        self.features.iter().find(|(_, tests)| has(tests)).map(|(feature, _)| *feature)
    }

    /// Whether any of these tests measures time.
    pub fn any_timed<'a>(&self, tests: impl IntoIterator<Item = &'a String>) -> bool {
        tests.into_iter().any(|t| self.timed.contains(t))
    }

    /// What is special about running `unit` whole.
    pub fn whole(&self, unit: &str) -> Option<&Whole> {
        self.whole.iter().find(|whole| whole.unit == unit)
    }

    /// Whether `unit` runs `test` although its own filter leaves it out.
    pub fn includes(&self, unit: &str, test: &str) -> bool {
        self.include.iter().any(|i| i.test == test && i.units.iter().any(|u| u == unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_test_has_one_feature_and_each_exception_a_reason() {
        let catalog = Catalog::built_in().unwrap();
        let mut tests: Vec<&String> = catalog.features.values().flatten().collect();
        tests.sort();
        let twice: Vec<_> = tests.windows(2).filter(|w| w[0] == w[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
        assert!(tests.len() > 70, "{}", tests.len());
        assert!(catalog.include.iter().all(|i| i.why.len() > 20));
        assert!(catalog.also.iter().all(|a| a.why.len() > 20));
        assert_eq!(catalog.feature("svm_lbrv_test0"), Some(Feature::Lbrv));
        assert_eq!(catalog.feature("no_such_test"), None);
    }
}
