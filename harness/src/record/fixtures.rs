//! Small results for tests.

use crate::Verdict;
use crate::qemu::testing::identity;
use crate::record::results::{ResultSet, Row, SCHEMA};
use crate::run::{Attempt, Taken};
use crate::suites::{Observation, Planned, SuiteIdentity};
use svm_model::Feature;

pub(crate) fn row(config: &str, test: &str, verdict: Verdict) -> Row {
    Row {
        config: config.into(),
        test: test.into(),
        feature: Some(Feature::Npt),
        verdict,
        passed: u32::from(verdict == Verdict::Pass),
        failed: u32::from(verdict == Verdict::Fail),
        why: (verdict != Verdict::Pass).then(|| format!("{test} says {verdict}")),
        failing: Vec::new(),
        attempts: Vec::new(),
        known: None,
        flaky: false,
    }
}

/// `build` is `stock-…` or `patched-…`.
pub(crate) fn set(build: &str, tests: Vec<Row>) -> ResultSet {
    let build = identity(build);
    let suite = SuiteIdentity { name: "s".into(), version: "v1".into() };
    ResultSet { schema: SCHEMA, build, suite, configs: Vec::new(), tests }
}

pub(crate) fn taken(config: &str, test: &str, seconds: f64) -> Taken {
    let attempt = Attempt {
        config: config.into(),
        fingerprint: "f".into(),
        series: 1,
        attempt: 1,
        seconds,
        limit: 60.0,
        seen: Observation::bare(test, Verdict::Fail, "why"),
    };
    let planned = Planned { test: test.into(), feature: None };
    Taken { config: config.into(), planned, attempts: vec![attempt], log: None }
}
