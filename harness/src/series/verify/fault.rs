//! What a patch does that `series.toml` does not say, and the other way round.

use std::fmt;

use serde::Serialize;

use crate::Verdict;

/// What is not as `series.toml` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// The tree does not build at this patch.
    Broken {
        /// The compiler's first words.
        why: String,
    },
    /// A named test does not pass with the patch.
    NotFlipped {
        /// As `series.toml` names it.
        claim: String,
        /// The test.
        test: String,
        /// How it ends.
        verdict: Verdict,
        /// What it says.
        why: Option<String>,
    },
    /// A named test, or all of a family, passes without the patch already.
    Early {
        /// As `series.toml` names it.
        claim: String,
    },
    /// No test has the name.
    Unknown {
        /// As `series.toml` names it.
        claim: String,
    },
    /// A test that should fail from here on passes.
    NotFailed {
        /// As `series.toml` names it.
        claim: String,
    },
    /// A test gets worse.
    Worse {
        /// The test.
        test: String,
        /// How it ended before; none for a test that was not there.
        from: Verdict,
        /// How it ends now; none for a test that is gone.
        to: Option<Verdict>,
        /// What it says.
        why: Option<String>,
    },
    /// A test passes from here on, and `series.toml` does not say so.
    Unclaimed {
        /// The test.
        test: String,
    },
}

impl Fault {
    /// Whether what is written is wrong, and not what the patch does.
    pub fn is_of_the_claims(&self) -> bool {
        !matches!(self, Fault::Broken { .. } | Fault::Worse { .. })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because =
            |why: &Option<String>| why.as_ref().map_or(String::new(), |w| format!(": {w}"));
        match self {
            Fault::Broken { why } => write!(f, "it does not build: {why}"),
            Fault::NotFlipped { test, verdict, why, .. } => {
                write!(f, "{test} should pass from here on; {verdict}{}", because(why))
            }
            Fault::Early { claim } => write!(f, "{claim} passes without the patch already"),
            Fault::NotFailed { claim } => write!(f, "{claim} should fail from here on; it passes"),
            Fault::Unknown { claim } => write!(f, "no test is named {claim}"),
            Fault::Worse { test, from, to, why } => {
                let to = to.map_or("gone", Verdict::name);
                write!(f, "{test} gets worse, from {from} to {to}{}", because(why))
            }
            Fault::Unclaimed { test } => {
                write!(f, "{test} passes from here on, and series.toml does not say so")
            }
        }
    }
}
