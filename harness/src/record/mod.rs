//! What was measured, as data: results, their history, what changed between
//! two sets of them, and the shards of one run.

pub mod diff;
pub mod history;
pub mod results;
pub mod shard;

#[cfg(test)]
pub(crate) mod fixtures;
