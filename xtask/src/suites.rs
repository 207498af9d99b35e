//! The flags that say how suites are found and run, shared by every subcommand
//! that measures.

use std::path::PathBuf;
use std::time::Duration;

use harness::row::Lab;
use harness::suites::select::Selection;
use harness::suites::{Absent, Options};
use harness::test_svm::Request;
use harness::{Env, Result};

use crate::given;
use crate::show::line;

/// How suites are found and run.
#[derive(clap::Args)]
pub(crate) struct SuiteArgs {
    /// A built kvm-unit-tests tree [default: ../kvm-unit-tests, if it is there]
    #[arg(long, env = "KVM_UNIT_TESTS", value_name = "DIR", hide_env_values = true)]
    kvm_unit_tests: Option<PathBuf>,
    /// Fail when this suite is not there (may be given several times)
    #[arg(long, value_name = "SUITE", value_parser = given::suite())]
    require: Vec<String>,
    /// QEMUs at a time [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = given::jobs())]
    jobs: Option<u16>,
    /// Seconds for each run [default: as the suite says]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    timeout: Option<u32>,
}

impl SuiteArgs {
    /// Refuses what cannot be run, before anything is fetched or built: `suites` are those that
    /// were named.
    ///
    /// # Errors
    /// As [`harness::suites::check`].
    pub(crate) fn check(&self, env: &Env, suites: &[String]) -> Result<()> {
        let selection = Selection { suites: suites.to_vec(), ..Selection::default() };
        harness::suites::check(&self.options(env), &selection)
    }

    /// A bench with these suites.
    pub(crate) fn lab<'a>(&self, env: &'a Env) -> Lab<'a> {
        Lab::new(env, self.options(env), self.jobs())
    }

    /// One run of the selected tests, on a QEMU that is still to be named.
    pub(crate) fn request(&self, env: &Env, selection: Selection) -> Request {
        Request {
            qemus: Vec::new(),
            options: self.options(env),
            selection,
            jobs: self.jobs(),
            fresh: false,
            repeat: 1,
            shard: None,
            record: false,
            command: String::new(),
        }
    }

    fn jobs(&self) -> usize {
        self.jobs.map_or_else(harness::run::cores, usize::from)
    }

    fn options(&self, env: &Env) -> Options {
        Options {
            kvm_unit_tests: self.kvm_unit_tests.clone(),
            checkout: env.repo.clone(),
            cache: Some(env.cache.root().to_path_buf()),
            install: env.install,
            require: self.require.iter().cloned().collect(),
            timeout: self.timeout.map(|s| Duration::from_secs(s.into())),
            units: Vec::new(),
            stock: None,
        }
    }
}

/// A row for each suite that is not there, so that nobody takes it for run.
pub(crate) fn print_absent(absent: &[Absent]) {
    for Absent { suite, why } in absent {
        line(format_args!("{suite} did not run: {why}"));
    }
}
