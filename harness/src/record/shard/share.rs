//! What one shard writes.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Cut, Shard};
use crate::host::cache;
use crate::host::error::Context;
use crate::record::Part;
use crate::record::results::{self, ResultSet, Row, SCHEMA};
use crate::suites::select::Selection;
use crate::suites::{Absent, Job, Suite, TestId};
use crate::{Error, Kind, Result, Verdict};

/// Pairs of configuration and test with something about them.
type ByTest<T> = Vec<((String, String), T)>;

/// One shard's results, and what all shards together owe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// [`SCHEMA`] of the results in it.
    pub schema: u32,
    /// Which shard it is.
    pub shard: Shard,
    /// Which tests were asked for.
    pub selection: Selection,
    /// The command that a flip's reproduction begins with.
    pub command: String,
    /// Every suite on every build with all its tests, each missing because of
    /// its shard.
    pub outline: Vec<ResultSet>,
    /// The shard that each test belongs to.
    pub cut: Vec<(TestId, u32)>,
    /// What this one measured, in the order of `outline`.
    pub results: Vec<Results>,
    /// Suites that are not there.
    pub absent: Vec<Absent>,
    /// Attempts that were measured, not found on record.
    pub ran: usize,
    /// Seconds that it took.
    pub took: f64,
}

/// The measured rows of one suite on one build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The rows.
    pub tests: Vec<Row>,
    /// Seconds of each.
    pub seconds: ByTest<f64>,
    /// What the logs of those that do not pass say.
    pub excerpts: ByTest<String>,
}

impl Results {
    /// Of a part of a report.
    pub fn of(part: &Part) -> Self {
        fn list<T: Clone>(map: &BTreeMap<(String, String), T>) -> ByTest<T> {
            map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
        }
        Results {
            tests: part.set.tests.clone(),
            seconds: list(&part.seconds),
            excerpts: list(&part.excerpts),
        }
    }
}

impl Share {
    /// Writes it.
    ///
    /// # Errors
    /// Harness.
    pub fn save(&self, path: &Path) -> Result<()> {
        let doing = || format!("writing {}", path.display());
        let text = serde_json::to_vec(self).doing(Kind::Harness, doing)?;
        cache::write_named(path, &text)
    }

    /// Reads one.
    ///
    /// # Errors
    /// Usage, when it cannot be read, is no share, or has another schema.
    pub fn load(path: &Path) -> Result<Self> {
        let doing = || format!("reading the shard {}", path.display());
        let text = crate::host::regular::read(path).doing(Kind::Usage, doing)?;
        let share: Share = serde_json::from_slice(&text).map_err(|e| {
            Error::new(Kind::Usage, doing()).because(e).hint("merge takes what --shard K/N wrote")
        })?;
        if share.schema == SCHEMA {
            share.outline.iter().try_for_each(results::named).doing(Kind::Usage, doing)?;
            return Ok(share);
        }
        let (theirs, ours) = (share.schema, SCHEMA);
        let what = format!("{}: it has schema {theirs}, and this program reads {ours}", doing());
        Err(Error::new(Kind::Usage, what).hint("measure and merge with one commit"))
    }
}

/// Every test of `jobs` as one that its shard has not measured.
pub fn outline(
    of: u32,
    measured: &ResultSet,
    suite: &dyn Suite,
    jobs: &[Job],
    cut: &Cut,
) -> ResultSet {
    let name = &suite.identity().name;
    let mut tests = Vec::new();
    for job in jobs {
        for planned in &job.tests {
            let (config, test) = (job.config.clone(), planned.test.clone());
            let id = TestId { suite: name.clone(), config, test };
            let shard = cut.get(&id).copied().unwrap_or_default();
            tests.push(Row {
                config: id.config,
                test: id.test,
                feature: planned.feature,
                verdict: Verdict::Missing,
                passed: 0,
                failed: 0,
                why: Some(format!("shard {shard}/{of} left no result")),
                failing: Vec::new(),
                attempts: Vec::new(),
                known: None,
                flaky: false,
            });
        }
    }
    tests.sort_by(|a, b| (&a.config, &a.test).cmp(&(&b.config, &b.test)));
    let mut configs = suite.configs();
    configs.retain(|c| tests.iter().any(|row| row.config == c.config));
    configs.sort_by(|a, b| a.config.cmp(&b.config));
    ResultSet { configs, tests, ..measured.clone() }
}
