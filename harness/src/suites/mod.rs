//! The seam between the harness and a suite of tests.
//!
//! A new suite is one file that implements [`Suite`] and one line in
//! [`SUITES`]. The harness does the rest: it runs jobs in parallel, keeps each
//! verdict as soon as it is known, goes on from what was kept, and compares.

pub mod conformance;
pub mod hostile;
pub mod kvm_selftests;
pub mod kvm_unit_tests;
pub mod migration;
pub mod qemu_tests;
pub mod refusals;
pub mod rules;
pub mod select;
pub mod verdict;
pub mod xen;

mod ended;
mod fetched;
mod in_guest;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use svm_model::Feature;

use crate::qemu::Qemu;
use crate::{Error, Kind, Result, Verdict};
use select::Selection;

/// Every suite, in the order in which reports list them.
pub const SUITES: &[(&str, Open)] = &[
    (crate::suites::kvm_unit_tests::NAME, crate::suites::kvm_unit_tests::open),
    (crate::suites::kvm_unit_tests::OTHERS, crate::suites::kvm_unit_tests::open_others),
    (crate::suites::conformance::NAME, crate::suites::conformance::open),
    (crate::suites::migration::suite::NAME, crate::suites::migration::suite::open),
    (crate::suites::rules::NAME, crate::suites::rules::open),
    (crate::suites::hostile::NAME, crate::suites::hostile::open),
    (crate::suites::refusals::NAME, crate::suites::refusals::open),
    (crate::suites::xen::NAME, crate::suites::xen::open),
    (crate::suites::xen::kvm::NAME, crate::suites::xen::kvm::open),
    (crate::suites::kvm_selftests::NAME, crate::suites::kvm_selftests::open),
    (crate::suites::qemu_tests::NAME, crate::suites::qemu_tests::open),
];

/// Suites that run only when `--suite` names them: `rules` holds each
/// generated case against the model, and the units of kvm-unit-tests that are
/// not about SVM only show that the series leaves the rest alone; `hostile` makes
/// attempts at QEMU's life; `xen` and `linux-kvm` boot hypervisors from packages that
/// they fetch, and `kvm-selftests` the tests that one of them has for itself. All take
/// minutes, but for `refusals`, which needs a QEMU that traces, and `qemu-tests`, which are
/// those that the series brings into QEMU's own tree.
pub const ON_REQUEST: &[&str] = &[
    crate::suites::rules::NAME,
    crate::suites::kvm_unit_tests::OTHERS,
    crate::suites::hostile::NAME,
    crate::suites::refusals::NAME,
    crate::suites::xen::NAME,
    crate::suites::xen::kvm::NAME,
    crate::suites::kvm_selftests::NAME,
    crate::suites::qemu_tests::NAME,
];

/// The name of a unit run whole, as configured: many tests in one QEMU.
pub const WHOLE: &str = "whole";

/// Whether `suite` runs where that is selected.
pub fn runs(selection: &Selection, suite: &str) -> bool {
    let asked_for = selection.suites.iter().any(|name| name == suite);
    selection.suite(suite) && (asked_for || !ON_REQUEST.contains(&suite))
}

/// Refuses what can be seen to be wrong before a QEMU is there: suites that do not
/// exist, and a tree that is none.
///
/// # Errors
/// Usage; set-up, for a required suite that is not there.
pub fn check(options: &Options, selection: &Selection) -> Result<()> {
    let known = |name: &String| SUITES.iter().any(|(suite, _)| suite == name);
    let mut asked = selection.suites.iter().chain(&options.require);
    if let Some(stranger) = asked.find(|name| !known(name)) {
        let names: Vec<&str> = SUITES.iter().map(|(name, _)| *name).collect();
        return Err(Error::new(Kind::Usage, format!("there is no suite {stranger}"))
            .hint(format!("the suites are: {}", names.join(", "))));
    }
    [kvm_unit_tests::NAME, kvm_unit_tests::OTHERS]
        .into_iter()
        .filter(|name| runs(selection, name))
        .try_for_each(|name| kvm_unit_tests::locate(name, options).map(drop))
}

/// Finds a suite, or says why it is not there.
pub type Open = fn(&Options) -> Result<Opened>;

/// What a suite may need to know to be found.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The user's kvm-unit-tests tree, from a flag or the environment.
    pub kvm_unit_tests: Option<PathBuf>,
    /// The checkout that this program was started in.
    pub checkout: PathBuf,
    /// The harness's cache, for suites that fetch something; none is the default one.
    pub cache: Option<PathBuf>,
    /// May missing system packages be installed?
    pub install: bool,
    /// Suites whose absence is an error.
    pub require: BTreeSet<String>,
    /// Replaces every test's time limit.
    pub timeout: Option<Duration>,
    /// Units asked for by name, which may be others than a suite's own choice.
    pub units: Vec<String>,
    /// QEMU as released, for suites that have one QEMU talk to another.
    pub stock: Option<Qemu>,
}

/// A suite that can run, or the reason why it cannot.
pub enum Opened {
    /// Ready to plan and run.
    Ready(Box<dyn Suite>),
    /// Not on this machine; shown as a row of the report.
    Absent(Absent),
}

/// A suite that is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// The suite's name.
    pub suite: String,
    /// Why, and what to do about it.
    pub why: String,
}

/// What tells one version of a suite from another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteIdentity {
    /// Its name in [`SUITES`].
    pub name: String,
    /// Its version: a commit, or a digest of its cases.
    pub version: String,
}

/// One configuration of a suite: what is the same for all its tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The name that `--unit` takes.
    pub config: String,
    /// QEMU's `-cpu` argument.
    pub cpu: String,
    /// The command line, without paths of any one machine.
    pub command: String,
}

/// The identity of a test in every report and file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TestId {
    /// The suite's name.
    pub suite: String,
    /// The unit or configuration.
    pub config: String,
    /// The test's name, unique within suite and configuration.
    pub test: String,
}

impl fmt::Display for TestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.config, self.test))
    }
}

/// A test that a job measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its name within the job's configuration.
    pub test: String,
    /// The feature that it is about; none for a unit run whole.
    pub feature: Option<Feature>,
}

/// What one start of QEMU measures: one test, or many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The configuration.
    pub config: String,
    /// The tests; at least one.
    pub tests: Vec<Planned>,
    /// When the harness stops it.
    pub timeout: Duration,
    /// QEMU's arguments, as far as the suite knows them before it runs.
    pub args: Vec<String>,
    /// What the verdicts depend on besides the QEMU binary, as a digest.
    pub fingerprint: String,
    /// Set where the verdict is known without a run: an image that does not
    /// exist, or a condition of the suite's that does not hold here.
    pub decided: Option<(Verdict, String)>,
    /// It measures time, so that no other QEMU of ours may run beside it.
    pub alone: bool,
}

impl Job {
    /// A job that is to be run, and beside which others may run.
    pub fn new(
        config: &str,
        tests: Vec<Planned>,
        timeout: Duration,
        args: Vec<String>,
        fingerprint: String,
    ) -> Job {
        let config = config.to_owned();
        Job { config, tests, timeout, args, fingerprint, decided: None, alone: false }
    }
}

/// What was seen of one test in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The test's name within the job's configuration.
    pub test: String,
    /// What it came to.
    pub verdict: Verdict,
    /// Assertions that hold.
    pub passed: u32,
    /// Assertions that do not hold.
    pub failed: u32,
    /// The first assertion that does not hold, or what ended the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
    /// In a unit run whole: the tests in which an assertion failed, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failing: Vec<String>,
    /// True when the verdict says nothing about the binary (it was killed from
    /// outside, or did not start), so that the next run measures again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fleeting: bool,
}

impl Observation {
    /// An observation of `test` without assertions.
    pub fn bare(test: &str, verdict: Verdict, why: impl Into<String>) -> Self {
        Observation {
            test: test.to_owned(),
            verdict,
            passed: 0,
            failed: 0,
            first_failure: Some(why.into()),
            failing: Vec::new(),
            fleeting: false,
        }
    }
}

/// One job at work on one QEMU.
pub struct Work<'a> {
    /// The job.
    pub job: &'a Job,
    /// Those of its tests that have no verdict yet.
    pub pending: &'a [&'a Planned],
    /// The QEMU under test.
    pub qemu: &'a Qemu,
    /// The file to write the log to.
    pub log: &'a Path,
}

/// A set of tests that runs on a QEMU binary.
pub trait Suite: Sync {
    /// Name and version.
    fn identity(&self) -> &SuiteIdentity;

    /// The configurations that [`Suite::plan`] names.
    fn configs(&self) -> Vec<Config>;

    /// Every job, in no particular order. Pure: reads nothing.
    fn plan(&self) -> Vec<Job>;

    /// What the user should know of what will run, in words.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Refuses a QEMU that cannot run this suite at all.
    ///
    /// # Errors
    /// Says what the binary lacks.
    fn check(&self, qemu: &Qemu) -> Result<()>;

    /// Runs a job and emits each pending test's observation as soon as it is
    /// known. A pending test that is never emitted is recorded as missing.
    ///
    /// # Errors
    /// When QEMU cannot be started, the run is interrupted, or I/O fails. A
    /// test that fails is no error.
    fn run(&self, work: &Work<'_>, emit: &mut dyn FnMut(Observation) -> Result<()>) -> Result<()>;
}
