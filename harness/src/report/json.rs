//! `--json FILE`: everything that a run knows.

use std::path::PathBuf;

use serde::Serialize;

use super::{Part, Report};
use crate::host::error::Context;
use crate::qemu::BuildIdentity;
use crate::record::diff::Comparison;
use crate::record::results::{Row, SCHEMA};
use crate::suites::{Absent, Config, SuiteIdentity, TestId};
use crate::{Kind, Result};

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    exit_code: u8,
    seconds: f64,
    measured_now: usize,
    results: Vec<Results<'a>>,
    absent: &'a [Absent],
    comparisons: &'a [Comparison],
    unrecorded: Vec<Unrecorded<'a>>,
    unexpected_passes: Vec<Unexpected<'a>>,
}

#[derive(Serialize)]
struct Results<'a> {
    build: &'a BuildIdentity,
    suite: &'a SuiteIdentity,
    configs: &'a [Config],
    tests: Vec<Test<'a>>,
}

#[derive(Serialize)]
struct Test<'a> {
    #[serde(flatten)]
    row: &'a Row,
    seconds: Option<f64>,
    log: Option<&'a PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    excerpt: Option<&'a String>,
    reproduce: String,
}

#[derive(Serialize)]
struct Unrecorded<'a> {
    build: &'a str,
    suite: &'a str,
}

#[derive(Serialize)]
struct Unexpected<'a> {
    build: &'a str,
    #[serde(flatten)]
    id: &'a TestId,
    reason: &'a str,
}

/// The document.
///
/// # Errors
/// Harness, when it cannot be written as JSON.
pub fn json(report: &Report) -> Result<String> {
    let unrecorded = |(build, suite): &'_ (String, String)| (build.clone(), suite.clone());
    let pairs: Vec<(String, String)> = report.unrecorded.iter().map(unrecorded).collect();
    let document = Document {
        schema: SCHEMA,
        exit_code: report.failure().map_or(0, Kind::exit_code),
        seconds: report.took,
        measured_now: report.ran,
        results: report.parts.iter().map(|part| results(report, part)).collect(),
        absent: &report.absent,
        comparisons: &report.comparisons,
        unrecorded: pairs.iter().map(|(build, suite)| Unrecorded { build, suite }).collect(),
        unexpected_passes: report
            .unexpected
            .iter()
            .map(|(build, id, reason)| Unexpected { build, id, reason })
            .collect(),
    };
    let doing = || "writing the report as JSON".into();
    serde_json::to_string_pretty(&document).map(|text| text + "\n").doing(Kind::Harness, doing)
}

fn results<'a>(report: &Report, part: &'a Part) -> Results<'a> {
    let test = |row: &'a Row| {
        let key = (row.config.clone(), row.test.clone());
        Test {
            row,
            seconds: part.seconds.get(&key).copied(),
            log: part.logs.get(&key),
            excerpt: part.excerpts.get(&key),
            reproduce: report.reproduce(&part.set.build.name, &part.set.id(row)),
        }
    };
    let set = &part.set;
    let tests = set.tests.iter().map(test).collect();
    Results { build: &set.build, suite: &set.suite, configs: &set.configs, tests }
}
