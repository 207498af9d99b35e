//! From what a guest printed to a verdict. Pure.
//!
//! kvm-unit-tests' own runner and its TAP output lose XPASS, XFAIL, KFAIL and
//! ABORT lines and report a test that asserts nothing as skipped; here each has
//! a meaning.

mod stable;
mod transcript;
mod verdict;

pub use stable::stable;
pub use transcript::{Assertion, Outcome, Summary, Transcript};
pub use verdict::{Reading, judge};
