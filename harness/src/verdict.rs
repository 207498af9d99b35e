//! The closed set of verdicts.

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
