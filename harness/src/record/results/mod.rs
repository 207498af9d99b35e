//! What was measured, as data: one file for each pair of build and suite.

mod excerpts;
mod from_run;
mod known;
mod reproduce;
mod store;
mod times;

use serde::{Deserialize, Serialize};
use svm_model::Feature;

pub use excerpts::{Excerpts, excerpt};
pub use from_run::result_set;
pub use known::{Known, KnownFailures};
pub use reproduce::reproduce;
pub use store::{Recorded, folder, load, load_all, named, path, save};
pub use times::Times;

use crate::Verdict;
use crate::qemu::BuildIdentity;
use crate::suites::{Config, SuiteIdentity, TestId};

/// The version of the files' form. A reader refuses any other.
pub const SCHEMA: u32 = 1;

/// All verdicts of one suite on one build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultSet {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The build.
    pub build: BuildIdentity,
    /// The suite.
    pub suite: SuiteIdentity,
    /// Its configurations.
    pub configs: Vec<Config>,
    /// One row for each test, sorted by configuration and name.
    pub tests: Vec<Row>,
}

/// One test on one build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The configuration.
    pub config: String,
    /// The test.
    pub test: String,
    /// What it is about; none for a unit run whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<Feature>,
    /// What it came to; with several attempts, the worst.
    pub verdict: Verdict,
    /// Assertions that hold.
    pub passed: u32,
    /// Assertions that do not hold.
    pub failed: u32,
    /// The first failure, or what ended the run, or why it is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// In a unit run whole: the tests that failed in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failing: Vec<String>,
    /// The verdicts of all attempts, where there were several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Verdict>,
    /// Why this verdict is expected, from the file of known failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
    /// The verdict may differ from run to run, and it is known why.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flaky: bool,
}

impl Row {
    /// Whether attempts disagreed.
    pub fn wavers(&self) -> bool {
        self.attempts.windows(2).any(|pair| pair[0] != pair[1])
    }

    /// The shard that owes this result, where one did not come.
    pub fn owed_by(&self) -> Option<u32> {
        let why = self.why.as_deref().filter(|_| self.verdict == Verdict::Missing)?;
        let shard = why.strip_prefix("shard ")?.strip_suffix(" left no result")?;
        shard.split_once('/')?.0.parse().ok()
    }
}

impl ResultSet {
    /// The identity of one of its rows.
    pub fn id(&self, row: &Row) -> TestId {
        TestId {
            suite: self.suite.name.clone(),
            config: row.config.clone(),
            test: row.test.clone(),
        }
    }
}
