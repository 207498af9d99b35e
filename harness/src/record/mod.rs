//! What was measured, as data: results, their history, what changed between
//! two sets of them, and the shards of one run.

pub mod diff;
pub mod history;
pub mod results;
pub mod shard;

#[cfg(test)]
pub(crate) mod fixtures;

use std::collections::BTreeMap;
use std::path::PathBuf;

use results::ResultSet;

/// One suite on one build, as measured.
#[derive(Clone, Debug)]
pub struct Part {
    /// The verdicts.
    pub set: ResultSet,
    /// Seconds by configuration and test.
    pub seconds: BTreeMap<(String, String), f64>,
    /// Logs by configuration and test.
    pub logs: BTreeMap<(String, String), PathBuf>,
    /// What the logs say of tests that do not pass, by configuration and test.
    pub excerpts: BTreeMap<(String, String), String>,
}
