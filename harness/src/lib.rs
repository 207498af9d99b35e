//! Everything that touches the outside: sources, builds, runs, results, reports.
//!
//! The flow of one `cargo xtask test-svm`:
//!
//! ```text
//! source -> tree -> +series -> build -> plan -> run -> parse -> results -> diff -> report
//! ```
//!
//! `plan`, `parse`, `diff` and `report` take data and return data; I/O lives in
//! `setup`, `source`, `build`, `run` and `store`.

#![deny(missing_docs)]

pub mod bench;
pub mod bisect;
pub mod build;
pub mod cache;
pub mod checkpatch;
pub mod ci;
pub mod conform;
pub mod conformance;
pub mod console;
pub mod diff;
pub mod env;
pub mod error;
pub mod git;
pub mod hash;
pub mod history;
pub mod interrupt;
pub mod kut;
pub mod layout;
pub mod linux;
pub mod mail;
pub mod measure;
pub mod migration;
pub mod parse;
pub mod pipeline;
pub mod process;
pub mod qemu;
pub mod report;
pub mod results;
pub mod review;
pub mod run;
pub mod select;
pub mod series;
pub mod setup;
pub mod shard;
pub mod source;
pub mod suite;
pub mod test_svm;
pub mod verdict;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod testing;

pub use env::Env;
pub use error::{Error, Kind, Result};
pub use verdict::Verdict;
