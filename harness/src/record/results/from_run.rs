//! From attempts to rows. Pure.

use super::{Known, KnownFailures, ResultSet, Row, SCHEMA};
use crate::qemu::BuildIdentity;
use crate::run::{Attempt, Measured, Taken};
use crate::suites::{Suite, TestId};

/// The rows of one suite on one build.
pub fn result_set(
    build: &BuildIdentity,
    suite: &dyn Suite,
    measured: &Measured,
    known: &KnownFailures,
) -> ResultSet {
    let identity = suite.identity();
    let row = |taken: &Taken| {
        let id = TestId {
            suite: identity.name.clone(),
            config: taken.config.clone(),
            test: taken.planned.test.clone(),
        };
        row(taken, |row| known.find(&build.name, &id, row.verdict, row.why.as_deref()))
    };
    let mut tests: Vec<Row> = measured.tests.iter().filter_map(row).collect();
    tests.sort_by(|a, b| (&a.config, &a.test).cmp(&(&b.config, &b.test)));
    let mut configs = suite.configs();
    configs.retain(|c| tests.iter().any(|row| row.config == c.config));
    configs.sort_by(|a, b| a.config.cmp(&b.config));
    let build = build.clone();
    ResultSet { schema: SCHEMA, build, suite: identity.clone(), configs, tests }
}

/// None when nothing was measured, which the pool does not let happen.
fn row<'k>(taken: &Taken, known: impl FnOnce(&Row) -> Option<&'k Known>) -> Option<Row> {
    let worst = taken.attempts.iter().max_by_key(|a| a.seen.verdict.badness())?;
    let verdicts = |attempts: &[Attempt]| attempts.iter().map(|a| a.seen.verdict).collect();
    let several = taken.attempts.len() > 1;
    let mut row = Row {
        config: taken.config.clone(),
        test: taken.planned.test.clone(),
        feature: taken.planned.feature,
        verdict: worst.seen.verdict,
        passed: worst.seen.passed,
        failed: worst.seen.failed,
        why: worst.seen.first_failure.clone(),
        failing: worst.seen.failing.clone(),
        attempts: if several { verdicts(&taken.attempts) } else { Vec::new() },
        known: None,
        flaky: false,
    };
    if let Some(entry) = known(&row) {
        row.known = Some(entry.reason.clone());
        row.flaky = entry.flaky;
    }
    Some(row)
}
