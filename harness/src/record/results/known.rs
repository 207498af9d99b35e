//! `results/known-failures.toml`: failures that have a reason.

use std::path::Path;

use serde::Deserialize;
use svm_model::rules::RuleId;

use crate::host::error::Context;
use crate::host::glob::glob;
use crate::record::results::ResultSet;
use crate::suites::{TestId, rules};
use crate::{Error, Kind, Result, Verdict};

/// The file's name under `results/`.
const NAME: &str = "known-failures.toml";

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The suite.
    pub suite: String,
    /// Patterns for the configuration.
    pub configs: Vec<String>,
    /// Patterns for the test.
    pub tests: Vec<String>,
    /// Patterns for the build (`stock-10.2.2`).
    pub builds: Vec<String>,
    /// The verdicts that are expected.
    pub verdicts: Vec<Verdict>,
    /// A pattern for what the run says about it, where that matters.
    pub why: Option<String>,
    /// Why.
    pub reason: String,
    /// Where it is discussed, or where the code is.
    pub link: String,
    /// The version of the suite or of QEMU in which it was first seen.
    pub since: String,
    /// The verdict differs from run to run.
    #[serde(default)]
    pub flaky: bool,
}

/// All entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownFailures {
    #[serde(default)]
    known: Vec<Known>,
}

impl KnownFailures {
    /// Reads the file in `results`; none is as good as an empty one.
    ///
    /// # Errors
    /// Usage, when it cannot be understood or an entry gives no reason.
    pub fn load(results: &Path) -> Result<Self> {
        let path = results.join(NAME);
        match crate::host::regular::read_text(&path) {
            Ok(text) => Self::parse(&text, &path.display().to_string()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(e).doing(Kind::Harness, || format!("reading {}", path.display())),
        }
    }

    /// Reads entries from `text`; `name` is for messages.
    ///
    /// # Errors
    /// As [`KnownFailures::load`].
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let all: Self = toml::from_str(text).doing(Kind::Usage, || format!("reading {name}"))?;
        match all.known.iter().find(|k| k.reason.trim().is_empty()) {
            None => Ok(all),
            Some(k) => {
                let what = format!("reading {name}: {:?} is known without a reason", k.tests);
                Err(Error::new(Kind::Usage, what))
            }
        }
    }

    /// The entry that explains `verdict`; a flaky test's entry also explains a
    /// pass, unless it is about some of its failures only.
    pub fn find(
        &self,
        build: &str,
        id: &TestId,
        verdict: Verdict,
        why: Option<&str>,
    ) -> Option<&Known> {
        let explains = |k: &&Known| match &k.why {
            Some(pattern) => k.verdicts.contains(&verdict) && glob(pattern, why.unwrap_or("")),
            None => k.verdicts.contains(&verdict) || k.flaky,
        };
        self.matching(build, id).find(explains)
    }

    /// The entry that says that `id` cannot pass, for a test that does.
    pub fn denied(&self, build: &str, id: &TestId) -> Option<&Known> {
        self.matching(build, id).find(|k| !k.flaky && k.why.is_none())
    }

    /// The entry that says that a test, `CONFIGURATION/TEST` or `TEST`, differs
    /// from run to run.
    pub fn wavers(&self, suite: &str, test: &str) -> Option<&Known> {
        let last = test.split_once('/').map_or(test, |(_, test)| test);
        let means = |t: &String| glob(t, test) || glob(t, last);
        let names = |k: &&Known| k.suite == suite && k.tests.iter().any(means);
        self.known.iter().filter(|k| k.flaky).find(names)
    }

    /// Why cases of that rule are known to differ on an executor, `qemu` or `c`,
    /// of a build. What `qemu` shows is what the suite `rules` measures.
    pub fn of_rule(&self, executor: &str, build: &str, rule: RuleId) -> Option<&str> {
        let suite = rules::NAME.to_owned();
        let config = if executor == "qemu" { suite.clone() } else { executor.to_owned() };
        let id = TestId { suite, config, test: rule.to_string() };
        self.find(build, &id, Verdict::Fail, None).map(|known| known.reason.as_str())
    }

    /// The entries, in the file's order.
    pub fn entries(&self) -> &[Known] {
        &self.known
    }

    /// Gives each row the reason that the file has for it now.
    pub fn apply(&self, set: &mut ResultSet) {
        let ids: Vec<TestId> = set.tests.iter().map(|row| set.id(row)).collect();
        for (row, id) in set.tests.iter_mut().zip(&ids) {
            let entry = self.find(&set.build.name, id, row.verdict, row.why.as_deref());
            row.known = entry.map(|e| e.reason.clone());
            row.flaky = entry.is_some_and(|e| e.flaky);
        }
    }

    /// The results other than passes that `entry` is the explanation of: build
    /// and test.
    pub fn explained<'s>(&self, entry: &Known, sets: &[&'s ResultSet]) -> Vec<(&'s str, TestId)> {
        let mut found = Vec::new();
        for set in sets {
            let build = set.build.name.as_str();
            for row in set.tests.iter().filter(|row| row.verdict != Verdict::Pass) {
                let id = set.id(row);
                let explains = self.find(build, &id, row.verdict, row.why.as_deref());
                if explains.is_some_and(|e| e == entry) {
                    found.push((build, id));
                }
            }
        }
        found
    }

    fn matching(&self, build: &str, id: &TestId) -> impl Iterator<Item = &Known> {
        let any = |patterns: &[String], text: &str| patterns.iter().any(|p| glob(p, text));
        let matches = move |k: &&Known| {
            k.suite == id.suite
                && any(&k.configs, &id.config)
                && any(&k.tests, &id.test)
                && any(&k.builds, build)
        };
        let found: Vec<&Known> = self.known.iter().filter(matches).collect();
        found.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        [[known]]
        suite = "s"
        configs = ["svm*"]
        tests = ["*_emulate"]
        builds = ["stock-*"]
        verdicts = ["skip"]
        reason = "needs KVM"
        link = ""
        since = "1"
        [[known]]
        suite = "s"
        configs = ["*"]
        tests = ["racy"]
        builds = ["*"]
        verdicts = ["timeout"]
        reason = "waits for an exact count"
        link = ""
        since = "1"
        flaky = true
    "#;

    fn id(config: &str, test: &str) -> TestId {
        TestId { suite: "s".into(), config: config.into(), test: test.into() }
    }

    #[test]
    fn an_entry_explains_its_verdicts_on_its_builds_only() {
        let known = KnownFailures::parse(TEXT, "t").unwrap();
        let find = |build, id: &TestId, verdict| known.find(build, id, verdict, None).is_some();
        assert!(find("stock-1", &id("svm_npt", "a_emulate"), Verdict::Skip));
        assert!(!find("stock-1", &id("svm_npt", "a_emulate"), Verdict::Fail));
        assert!(!find("patched-1", &id("svm", "a_emulate"), Verdict::Skip));
        assert!(!find("stock-1", &id("vmx", "a_emulate"), Verdict::Skip));
        assert!(known.denied("stock-1", &id("svm", "a_emulate")).is_some());
    }

    #[test]
    fn a_flaky_test_may_pass_and_is_never_news() {
        let known = KnownFailures::parse(TEXT, "t").unwrap();
        assert!(known.find("x", &id("svm", "racy"), Verdict::Pass, None).unwrap().flaky);
        assert!(known.denied("x", &id("svm", "racy")).is_none());
    }

    #[test]
    fn an_entry_about_one_failure_explains_no_other() {
        let text = TEXT.replace("flaky = true", "flaky = true\nwhy = \"*in racy\"");
        let known = KnownFailures::parse(&text, "t").unwrap();
        let find = |verdict, why| known.find("x", &id("svm", "racy"), verdict, why).is_some();
        assert!(find(Verdict::Timeout, Some("time was up in racy")));
        assert!(!find(Verdict::Timeout, Some("time was up in other")));
        assert!(!find(Verdict::Pass, None) && !find(Verdict::Timeout, None));
    }

    #[test]
    fn an_entry_without_a_reason_or_with_a_stray_key_is_refused() {
        let silent = TEXT.replace("needs KVM", " ");
        let error = KnownFailures::parse(&silent, "known.toml").unwrap_err().to_string();
        assert!(error.contains("known.toml") && error.contains("without a reason"), "{error}");
        let stray = TEXT.replace("link =", "lnik =");
        assert_eq!(KnownFailures::parse(&stray, "t").unwrap_err().kind(), Kind::Usage);
    }
}
