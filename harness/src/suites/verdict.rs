//! The closed set of verdicts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What one test came to on one QEMU build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// At least one assertion, and all hold.
    Pass,
    /// At least one assertion does not hold.
    Fail,
    /// The test says that it does not apply to this CPU.
    Skip,
    /// QEMU or the guest died before the test said how it ended.
    Crash,
    /// Stopped by the harness when its time was up.
    Timeout,
    /// The test ran and asserted nothing, or is named but unknown to the suite.
    Missing,
    /// The suite's image does not exist.
    NotBuilt,
}

impl Verdict {
    /// Every verdict, in the order in which reports list them.
    pub const ALL: [Verdict; 7] = [
        Verdict::Pass,
        Verdict::Fail,
        Verdict::Crash,
        Verdict::Timeout,
        Verdict::Skip,
        Verdict::Missing,
        Verdict::NotBuilt,
    ];

    /// `pass`, `not-built`, …: as in the results' files.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Skip => "skip",
            Verdict::Crash => "crash",
            Verdict::Timeout => "timeout",
            Verdict::Missing => "missing",
            Verdict::NotBuilt => "not-built",
        }
    }

    /// 0 for a pass, and more the less is known to work.
    pub const fn badness(self) -> u8 {
        match self {
            Verdict::Pass => 0,
            Verdict::Skip => 1,
            Verdict::Missing => 2,
            Verdict::Fail => 3,
            Verdict::Timeout => 4,
            Verdict::Crash => 5,
            Verdict::NotBuilt => 6,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
