//! What a review comes to, and its exit code.

use super::claims::Remark;
use super::{Applies, Builds, CompanionVerdict, Review};
use crate::Kind;

/// The worst that was found; the first in this order is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A patch is missing, damaged or there twice (exit code 10).
    Incomplete,
    /// A patch does not apply (exit code 11).
    DoesNotApply,
    /// A patch does not build (exit code 4).
    DoesNotBuild,
    /// A test gets worse (exit code 1).
    Regression,
    /// A test of the series comes before its fix, or does not show it (exit
    /// code 13).
    BadTest,
    /// checkpatch finds an error (exit code 12).
    Style,
    /// A message says what was not seen (exit code 14).
    Untrue,
    /// Nothing to object (exit code 0).
    Good,
}

impl Outcome {
    /// The process exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Outcome::Incomplete => 10,
            Outcome::DoesNotApply => 11,
            Outcome::DoesNotBuild => Kind::Build.exit_code(),
            Outcome::Regression => Kind::Regression.exit_code(),
            Outcome::BadTest => 13,
            Outcome::Style => 12,
            Outcome::Untrue => 14,
            Outcome::Good => 0,
        }
    }
}

impl Review {
    /// What the review comes to.
    pub fn outcome(&self) -> Outcome {
        let any = |f: &dyn Fn(&super::PatchReview) -> bool| self.patches.iter().any(f);
        let bad = |v: &CompanionVerdict| {
            !matches!(v, CompanionVerdict::Good { .. } | CompanionVerdict::NotRun)
        };
        if !self.faults.is_empty() {
            Outcome::Incomplete
        } else if any(&|p| matches!(p.applies, Applies::Refused { .. })) {
            Outcome::DoesNotApply
        } else if any(&|p| matches!(p.builds, Builds::No { .. })) {
            Outcome::DoesNotBuild
        } else if any(&super::PatchReview::is_worse) {
            Outcome::Regression
        } else if self.companions.iter().any(|c| bad(&c.verdict)) {
            Outcome::BadTest
        } else if any(&|p| p.errors().next().is_some()) {
            Outcome::Style
        } else if any(&|p| p.remarks.iter().any(Remark::is_objection)) {
            Outcome::Untrue
        } else {
            Outcome::Good
        }
    }
}
