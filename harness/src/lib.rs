//! Everything that touches the outside: sources, builds, runs, results, reports.
//!
//! The flow of one `cargo xtask test-svm`:
//!
//! ```text
//! source -> tree -> +series -> build -> plan -> run -> parse -> results -> diff -> report
//! ```
//!
//! Each room imports from those above it in this list, never the other way; the
//! test `rooms` holds that.
//!
//! | room | what is in it |
//! |---|---|
//! | [`host`] | this machine: processes, cache, git, console, errors, set-up |
//! | [`mail`] | patches as mails |
//! | [`qemu`] | QEMU as a program: source, build, binary, `svm.h` |
//! | [`catalogue`] | every case that there is, and what must come of it |
//! | [`exec`] | the trait `Executor`: model, QEMU with the guest, QEMU's C code |
//! | [`rule_check`] | executors against the model: judge, blame, shrink, mutate, kept cases |
//! | [`suites`] | the registry of suites, and each of them |
//! | [`run`] | jobs of suites in parallel, each verdict kept as soon as it is known |
//! | [`record`] | what was measured, as data: results, history, differences, shards |
//! | [`linux`] | Linux guests |
//! | [`mod@bench`] | what the series costs and saves |
//! | [`report`] | what a run and the records say |
//! | [`test_svm`] | one run from binaries to a report |
//! | [`explain`] | what a VMCB says, and why VMRUN refuses it |
//! | [`watch`] | what a running QEMU does with SVM, and the model beside it |
//! | [`example`] | the example of a hypervisor, in a QEMU |
//! | [`package`] | QEMU with the series, to be installed |
//! | [`row`] | a row of QEMUs, each a base with some patches, built and measured |
//! | [`series`] | the series of this repository, and what each patch must do |
//! | [`bisect`] | which patch, commit or version changed a verdict |
//! | [`review`] | what a reviewer does by hand |
//! | [`ci`] | every check of this repository, and pipelines that run the suites |

#![deny(missing_docs)]
// Standard output goes through `host::out`, which knows when it is closed.
#![deny(clippy::print_stdout)]

pub mod bench;
pub mod bisect;
pub mod catalogue;
pub mod ci;
pub mod coverage;
pub mod example;
pub mod exec;
pub mod explain;
pub mod host;
pub mod linux;
pub mod mail;
pub mod package;
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
pub mod watch;

pub use host::env::Env;
pub use host::error::{Error, Kind, Result};
pub use suites::verdict::Verdict;
