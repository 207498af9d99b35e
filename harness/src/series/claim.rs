//! A test, or a family of tests, as `series.toml` and `bisect` name it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::host::glob::glob;
use crate::suites::TestId;
use crate::{Error, Kind, Result};

/// `kut/svm/cr3_read_intercept`, `conformance/vgif.*`: a suite, and a pattern
/// for `CONFIGURATION/TEST` or for `TEST` alone, which then is in any of a unit's
/// configurations, or in the one that is named like its suite.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Claim {
    text: String,
    suite: String,
    pattern: String,
}

/// The suites' names, short and in full.
const SUITES: &[(&str, &str)] = &[
    ("kut", "kvm-unit-tests"),
    ("kut-x86", "kvm-unit-tests-x86"),
    ("conformance", "conformance"),
    ("migration", "migration"),
    ("rules", "rules"),
    ("hostile", "hostile"),
    ("refusals", "refusals"),
    ("xen", "xen"),
    ("linux-kvm", "linux-kvm"),
    ("kvm-selftests", "kvm-selftests"),
    ("qemu-tests", "qemu-tests"),
];

impl Claim {
    /// Reads a claim.
    ///
    /// # Errors
    /// Usage, when it does not begin with a suite's name.
    pub fn parse(text: &str) -> Result<Self> {
        let found = text.split_once('/').and_then(|(name, pattern)| {
            let (_, suite) = SUITES.iter().find(|(short, long)| *short == name || *long == name)?;
            Some((*suite, pattern)).filter(|_| !pattern.is_empty())
        });
        match found {
            Some((suite, pattern)) => {
                Ok(Claim { text: text.into(), suite: suite.into(), pattern: pattern.into() })
            }
            None => {
                let what = format!("`{text}` names no test");
                Err(Error::new(Kind::Usage, what).hint(
                    "write kut/CONFIGURATION/TEST, kut/TEST, conformance/CASE or migration/CASE",
                ))
            }
        }
    }

    /// The suite's full name.
    pub fn suite(&self) -> &str {
        &self.suite
    }

    /// Whether it means the test of that name in that configuration.
    pub fn covers(&self, suite: &str, config: &str, test: &str) -> bool {
        // As `short` leaves it out: a test alone is one of that configuration.
        let own = config == suite || suite.starts_with("kvm-unit-tests");
        let full = format!("{config}/{test}");
        suite == self.suite && (glob(&self.pattern, &full) || own && glob(&self.pattern, test))
    }

    /// Whether it means that test.
    pub fn means(&self, id: &TestId) -> bool {
        self.covers(&id.suite, &id.config, &id.test)
    }

    /// Whether it means all that `other`, which is the name of one test, means.
    pub fn includes(&self, other: &Claim) -> bool {
        let test = other.pattern.split_once('/').map_or("", |(_, test)| test);
        self.suite == other.suite
            && [other.pattern.as_str(), test].iter().any(|text| glob(&self.pattern, text))
    }

    /// The pattern for `--test`.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether it may mean several tests.
    pub fn is_family(&self) -> bool {
        self.pattern.contains(['*', '?'])
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl TryFrom<String> for Claim {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Claim::parse(&text)
    }
}

impl From<Claim> for String {
    fn from(claim: Claim) -> String {
        claim.text
    }
}

/// A test's name in the short form that [`Claim::parse`] reads. A suite's one
/// configuration that is named like the suite is left out.
pub fn short(suite: &str, config: &str, test: &str) -> String {
    let short = SUITES.iter().find(|(_, long)| *long == suite).map_or(suite, |(short, _)| short);
    if config == suite { format!("{short}/{test}") } else { format!("{short}/{config}/{test}") }
}

/// The short form of a test's identity.
pub fn name(id: &TestId) -> String {
    short(&id.suite, &id.config, &id.test)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_covers_its_test_by_either_name_and_no_other() {
        let covers = |claim: &str, suite| Claim::parse(claim).unwrap().covers(suite, "svm", "a");
        for yes in ["kut/svm/a", "kvm-unit-tests/svm/a", "kut/a", "kut/svm/*"] {
            assert!(covers(yes, "kvm-unit-tests"), "{yes}");
        }
        for no in ["kut/svm_npt/a", "kut/b", "kut/svm"] {
            assert!(!covers(no, "kvm-unit-tests"), "{no}");
        }
        assert!(!covers("kut/svm/a", "conformance"));
        assert_eq!(short("kvm-unit-tests", "svm", "a"), "kut/svm/a");
        assert_eq!(short("conformance", "conformance", "npt/a"), "conformance/npt/a");
        let claim = Claim::parse("conformance/npt/a").unwrap();
        assert!(claim.covers("conformance", "conformance", "npt/a"));
    }

    #[test]
    fn a_test_alone_is_of_the_configuration_that_is_named_like_the_suite() {
        let covers = |claim: &str, config| {
            Claim::parse(claim).unwrap().covers("migration", config, "virq/a")
        };
        assert!(covers("migration/virq/a", "migration"));
        assert!(covers("migration/virq/*", "migration"));
        assert!(!covers("migration/virq/a", "migration-from-stock"));
        assert!(covers("migration/migration-from-stock/virq/a", "migration-from-stock"));
    }

    #[test]
    fn a_claim_without_a_suite_is_refused() {
        for no in ["a", "svm/a", "kut/", ""] {
            assert_eq!(Claim::parse(no).unwrap_err().kind(), Kind::Usage, "{no}");
        }
    }
}
