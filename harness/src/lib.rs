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
pub mod catalogue;
pub mod ci;
pub mod exec;
pub mod host;
pub mod linux;
pub mod mail;
pub mod qemu;
pub mod record;
pub mod report;
pub mod review;
pub mod row;
pub mod rule_check;
pub mod run;
pub mod series;
pub mod suites;
pub mod test_svm;

pub use host::env::Env;
pub use host::error::{Error, Kind, Result};
pub use suites::verdict::Verdict;
