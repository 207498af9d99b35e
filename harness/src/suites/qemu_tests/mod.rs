//! QEMU's own tests of SVM, `tests/tcg/x86_64/system/svm-*.c`, which the series brings
//! along: what `make check-tcg` runs in a tree with the series, here on any QEMU.
//!
//! ```text
//! sources    the files, from the series on its base; compiled as QEMU's makefile says
//! catalog    which runs there are, and which tests each has: read from those files
//! judge      what a run printed, as verdicts
//! ```

mod catalog;
mod judge;
mod sources;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use self::catalog::Run;
use self::sources::Sources;
use super::fetched::opened;
use super::{Config, Job, Observation, Opened, Options, Planned, Suite, SuiteIdentity};
use super::{Work, conformance};
use crate::host::child::{self, Launch};
use crate::host::{hash, process};
use crate::qemu::Qemu;
use crate::{Env, Error, Kind, Result};

/// The suite's name.
pub const NAME: &str = "qemu-tests";

/// What QEMU's makefile gives a test.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The tests, compiled.
struct QemuTests {
    identity: SuiteIdentity,
    sources: Sources,
    runs: Vec<Run>,
    timeout: Duration,
}

/// Compiles the tests that the series of this checkout has.
///
/// # Errors
/// Build, when they do not compile; Setup, when the suite is required and there are none.
pub fn open(options: &Options) -> Result<Opened> {
    opened(NAME, options, obtain)
}

fn obtain(env: &Env, options: &Options) -> Result<QemuTests> {
    let sources = sources::obtain(env)?;
    let runs = catalog::runs(&sources)?;
    let tests: usize = runs.iter().map(|run| run.tests.len()).sum();
    let version = format!("{tests} tests, {}", &sources.digest[..12]);
    let identity = SuiteIdentity { name: NAME.into(), version };
    Ok(QemuTests { identity, sources, runs, timeout: options.timeout.unwrap_or(TIMEOUT) })
}

impl Suite for QemuTests {
    fn identity(&self) -> &SuiteIdentity {
        &self.identity
    }

    fn configs(&self) -> Vec<Config> {
        let config = |run: &Run| Config {
            config: run.name.clone(),
            cpu: "max,+svm".into(),
            command: format!("make -C tests/tcg/x86_64-softmmu run-{}", run.name),
        };
        self.runs.iter().map(config).collect()
    }

    fn plan(&self) -> Vec<Job> {
        let planned =
            |run: &Run, test: &String| Planned { test: test.clone(), feature: run.feature };
        let job = |run: &Run| {
            let tests = run.tests.iter().map(|test| planned(run, test)).collect();
            let fingerprint = hash::of_parts([&self.sources.digest, &run.name]);
            Job::new(&run.name, tests, self.timeout, Vec::new(), fingerprint)
        };
        self.runs.iter().map(job).collect()
    }

    fn check(&self, qemu: &Qemu) -> Result<()> {
        if let Some(device) = qemu.lacks(&["isa-debugcon", "isa-debug-exit"])? {
            let what = format!("{} has no {device} device", qemu.path.display());
            return Err(Error::new(Kind::Usage, format!("{what}, which {NAME} needs"))
                .hint("configure QEMU with CONFIG_ISA_DEBUG"));
        }
        Ok(())
    }

    fn run(&self, work: &Work<'_>, emit: &mut dyn FnMut(Observation) -> Result<()>) -> Result<()> {
        let scratch = self.sources.scratch()?;
        let args = self.arguments(work, scratch.path());
        let launch = Launch { program: Path::new("make"), args: &args, timeout: work.job.timeout };
        let ended = child::run(&launch)?;
        let printed = sources::printed(scratch.path(), &work.job.config);
        let command: Vec<String> = args.iter().map(|a| process::quote(a.as_os_str())).collect();
        let (said, end) = (ended.stderr.text(), ended.end);
        let log = format!(
            "$ make {}\n{printed}\n--- make and QEMU ---\n{said}\n--- {end:?} ---\n",
            command.join(" ")
        );
        conformance::write_log(work, &log)?;
        let pending: Vec<&str> = work.pending.iter().map(|p| p.test.as_str()).collect();
        judge::judge(&pending, &printed, end, &said).into_iter().try_for_each(emit)
    }
}

impl QemuTests {
    fn arguments(&self, work: &Work<'_>, scratch: &Path) -> Vec<OsString> {
        let firmware = work.qemu.firmware.iter().map(|dir| ["-L".into(), dir.into()]);
        let words = std::iter::once(work.qemu.path.clone().into_os_string());
        let qemu: Vec<String> =
            words.chain(firmware.flatten()).map(|w: OsString| process::quote(&w)).collect();
        let mut args = self.sources.arguments(scratch);
        args.push(format!("QEMU={}", qemu.join(" ")).into());
        // The harness stops what takes too long, and knows for how long it had no core.
        args.push(format!("TIMEOUT={}", self.timeout.as_secs() * 8).into());
        args.push(format!("run-{}", work.job.config).into());
        args
    }
}
