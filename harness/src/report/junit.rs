//! `--junit FILE`, for CI systems.
//!
//! A failure is what makes the run fail: a test that is worse than recorded or
//! worse than on stock, or one that passes although it is known to fail. Every other test that does not pass is skipped, with
//! its verdict as the message, since it is as recorded.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite, XmlString};

use super::{Part, Report};
use crate::host::error::Context;
use crate::record::diff::{Basis, Change};
use crate::record::results::Row;
use crate::suites::TestId;
use crate::{Kind, Result, Verdict};

/// The document.
///
/// # Errors
/// Harness, when it cannot be written as XML.
pub fn junit(report: &Report) -> Result<String> {
    let mut document = quick_junit::Report::new("test-svm");
    document.set_time(Duration::from_secs_f64(report.took));
    for part in &report.parts {
        let set = &part.set;
        let mut suite = TestSuite::new(format!("{}.{}", set.build.name, set.suite.name));
        let worse = worse(report, part);
        for row in &set.tests {
            suite.add_test_case(case(report, part, row, &worse));
        }
        for (id, change) in worse.iter().filter(|(_, change)| **change == Change::Gone) {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(change.name());
            suite.add_test_case(TestCase::new(id.to_string(), status));
        }
        document.add_test_suite(suite);
    }
    for number in &report.lost {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message("the shard left no results");
        let mut suite = TestSuite::new("shards");
        suite.add_test_case(TestCase::new(format!("shard {number}"), status));
        document.add_test_suite(suite);
    }
    for absent in &report.absent {
        let mut status = TestCaseStatus::skipped();
        status.set_message(XmlString::new(&absent.why));
        let mut suite = TestSuite::new(absent.suite.as_str());
        suite.add_test_case(TestCase::new("tree", status));
        document.add_test_suite(suite);
    }
    document.to_string().doing(Kind::Harness, || "writing the report as JUnit".into())
}

/// The tests of a part that are worse or gone.
fn worse<'a>(report: &'a Report, part: &Part) -> BTreeMap<&'a TestId, Change> {
    let about = |c: &&crate::record::diff::Comparison| {
        c.to == part.set.build.name && c.suite == part.set.suite.name
    };
    let flips = report.comparisons.iter().filter(about).flat_map(|c| {
        // What stock has and patched lacks is recorded as patched's, too.
        c.flips.iter().filter(|f| c.basis == Basis::Recorded || f.change != Change::Gone)
    });
    let bad = flips.filter(|f| matches!(f.change, Change::Regressed | Change::Gone));
    bad.map(|f| (&f.id, f.change)).collect()
}

fn case(report: &Report, part: &Part, row: &Row, worse: &BTreeMap<&TestId, Change>) -> TestCase {
    let id = part.set.id(row);
    let denied = report.unexpected.iter().find(|u| u.0 == part.set.build.name && u.1 == id);
    let fails = worse.contains_key(&id) || denied.is_some();
    let mut status = match (fails, row.verdict) {
        (true, _) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        (false, Verdict::Pass) => TestCaseStatus::success(),
        (false, _) => TestCaseStatus::skipped(),
    };
    if row.verdict != Verdict::Pass {
        let why = row.known.as_ref().or(row.why.as_ref()).map_or("", String::as_str);
        status.set_message(XmlString::new(format!("{}: {why}", row.verdict)));
    } else if let Some((_, _, reason)) = denied {
        let message = format!("unexpected pass, known to fail: {reason}");
        status.set_message(XmlString::new(message));
    }
    let mut case = TestCase::new(row.test.as_str(), status);
    case.set_classname(format!("{}.{}", part.set.suite.name, row.config));
    if let Some(seconds) = part.seconds.get(&(row.config.clone(), row.test.clone())) {
        case.set_time(Duration::from_secs_f64(*seconds));
    }
    if fails {
        case.set_system_out(XmlString::new(report.reproduce(&part.set.build.name, &id)));
    }
    case
}
