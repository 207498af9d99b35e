//! An executable specification of AMD SVM.
//!
//! Written from the AMD64 Architecture Programmer's Manual (APM), volume 2
//! chapter 15 and the SVM instruction pages of volume 3, never from an
//! emulator's code: the model judges emulators, so it shares nothing with them.
//!
//! Pure: no I/O, no unsafe, `no_std` with `alloc`, which the program in `no-std/` shows.
//!
//! # Where things are
//!
//! - [`arch`]: what the architecture defines, once: registers, the VMCB, exit codes.
//! - [`case`]: an experiment, the world that it runs in, and how it is written down.
//! - `machine`: the ordinary processor that SVM stands on.
//! - [`features`]: SVM itself, one folder a feature: `mod.rs` says whether CPUID offers it
//!   (`supported`) and whether it is on for a guest (`active`); `rules.rs` is what the manual
//!   says, as a table; `model.rs` does it; `cases.rs` generates cases; `written.rs` has cases
//!   with what they must show.
//! - `processor`: written cases of the processor around SVM, which the model does not do.
//! - [`rules`], [`cases`]: the lists of what the features have. [`model`]: running a case.
//! - [`check()`]: why VMRUN refuses a VMCB, for a hypervisor's own tests.
//!
//! # Adding a rule
//!
//! 1. A line in the feature's `rules.rs`: name, id, section, whether it is a condition
//!    (`two` sides) or an effect (`one`), and the statement. Where the manual is silent,
//!    `silent(…)` says what decides.
//! 2. The line of `model.rs` that decides by it asks it: `self.t.rule(RULE, condition)` for a
//!    condition, `if self.t.does(RULE)` for an effect, `self.t.said(RULE, value)` for a value,
//!    `self.leaves(RULE, …)?` for what is left alone. The model says what the manual says and
//!    nothing else; `tests/tidy.rs` looks.
//! 3. Where a model that breaks the rule should not simply do the opposite, the rule's line
//!    says what it does: `broken = Is(…)`, `Xor(…)`, or `Instead(…)` with a function of
//!    `mutants.rs`, which what is left alone always needs.
//! 4. Cases that reach it, on both sides where it has two, and one that notices when it is
//!    broken: `tests/coverage.rs` looks.
//!
//! # Adding a feature
//!
//! A folder with these files, and one line in `features/mod.rs`; a family of cases is one
//! line in `cases/mod.rs`. Numbers of rules follow from the list.

#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

pub mod arch;
pub mod case;
pub mod cases;
pub mod check;
pub mod compare;
pub mod coverage;
pub mod feature;
pub mod features;
pub(crate) mod machine;
pub mod model;
pub mod outcome;
pub(crate) mod processor;
pub mod rules;
pub mod snapshot;
pub mod written;

pub use arch::{cpu, vmcb};
pub use case::Case;
pub use case::wire;
pub use check::{Broken, check, check_with};
pub use compare::{Difference, compare};
pub use cpu::Platform;
pub use feature::Feature;
pub use outcome::Outcome;

/// The examples of the README are run as those of the documentation are.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
