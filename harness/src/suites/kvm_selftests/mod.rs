//! Linux's own tests of KVM, in a Linux L1 with KVM: each runs guests, and guests of
//! guests, which the QEMU under test has to carry.
//!
//! ```text
//! source     what is pinned in data/kvm-selftests.toml: fetched, verified, built
//! l1         one boot after the other, until each test has a verdict
//! console    what L1 says, as it comes
//! judge      exit statuses and words, as verdicts
//! ```
//!
//! What runs the tests in L1 is `harness/linux/src/selftests.rs`.

mod console;
mod judge;
mod l1;
mod source;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use self::source::Pins;
use super::fetched::opened;
use super::{Config, Job, Observation, Opened, Options, Planned, Suite, SuiteIdentity, Work};
use crate::host::hash;
use crate::linux::Parts;
use crate::linux::machine::{WORDS, board};
use crate::qemu::Qemu;
use crate::{Env, Result, Verdict};

/// The suite's name.
pub const NAME: &str = "kvm-selftests";

/// How long one test may take. The longest, which takes a fault at every page of its
/// code, needs two minutes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(600);
/// L1's memory: the tests are in it, too.
const MEMORY: &str = "2G";
/// The processors of L1: name, `-cpu`.
const CPUS: [(&str, &str); 3] =
    [("max", "max,+svm"), ("milan", "EPYC-Milan,+svm"), ("genoa", "EPYC-Genoa,+svm")];
/// Nested paging: what is behind the name, what L1 is told besides.
const PAGING: [(&str, &str); 2] = [("", ""), ("-nonpt", " npt=0")];
/// How many processors: what is behind the name, the number.
const COUNTS: [(&str, u32); 2] = [("", 2), ("-1cpu", 1)];

/// What is booted.
struct Selftests {
    identity: SuiteIdentity,
    pins: Pins,
    parts: Parts,
    /// Each test's program: none where it was not built.
    programs: BTreeMap<String, Option<PathBuf>>,
    /// Of all programs.
    digest: String,
    timeout: Duration,
}

/// Fetches the kernel, and builds the tests and what runs them.
///
/// # Errors
/// Build, when that does not compile; Setup, when the suite is required and what it
/// fetches cannot be had.
pub fn open(options: &Options) -> Result<Opened> {
    opened(NAME, options, obtain)
}

fn obtain(env: &Env, options: &Options) -> Result<Selftests> {
    let pins = Pins::builtin()?;
    let folder = source::obtain(env, &pins)?;
    let parts = Parts::with(env, &pins.kernel)?;
    let mut programs = BTreeMap::new();
    let mut contents = vec![parts.program.clone()];
    for name in pins.tests().into_keys() {
        let path = Some(folder.join(name)).filter(|path| path.is_file());
        if let Some(path) = &path {
            contents.push(crate::linux::kernel::read(path)?);
        }
        programs.insert(name.to_owned(), path);
    }
    let ours = hash::of_parts([pins.digest().as_bytes(), &parts.program]);
    let version = format!("Linux {}, {}", pins.source.version, &ours[..16]);
    let identity = SuiteIdentity { name: NAME.into(), version };
    let timeout = options.timeout.unwrap_or(TIMEOUT);
    Ok(Selftests { identity, pins, parts, programs, digest: hash::of_parts(&contents), timeout })
}

/// A configuration: its name, `-cpu`, and QEMU's arguments without paths.
struct Machine {
    name: String,
    cpu: &'static str,
    args: Vec<String>,
    /// Is its clock the number of instructions?
    counts: bool,
}

impl Machine {
    /// `fep=1`: some tests have KVM emulate an instruction. `loglevel=4`: a kernel's
    /// warning is kept with the test, not put between its words.
    fn new(name: String, cpu: &'static str, processors: u32, told: &str) -> Self {
        let words = format!("{WORDS} loglevel=4 role=selftests fep=1{told}");
        Machine { name, cpu, args: board(cpu, processors, MEMORY, &words), counts: false }
    }

    /// Instructions take two nanoseconds each, and nobody waits for a timer.
    fn counting(mut self) -> Self {
        self.args.extend(["-icount", "shift=1,sleep=off"].map(String::from));
        self.counts = true;
        self
    }
}

/// Every configuration, the most ordinary first.
fn machines() -> Vec<Machine> {
    let mut machines = Vec::new();
    for (cpu_name, cpu) in CPUS {
        for (paging, told) in PAGING {
            for (count, processors) in COUNTS {
                let name = format!("{cpu_name}{paging}{count}");
                machines.push(Machine::new(name, cpu, processors, told));
            }
        }
        machines.push(Machine::new(format!("{cpu_name}-icount"), cpu, 1, "").counting());
    }
    machines
}

impl Selftests {
    /// The tests of one configuration: in one job those that can run, and of the
    /// others one each.
    fn jobs(&self, machine: &Machine) -> Vec<Job> {
        let job = |tests, decided| Job {
            config: machine.name.clone(),
            tests,
            timeout: self.timeout,
            args: machine.args.clone(),
            fingerprint: hash::of_parts([&self.digest, &machine.args.join(" ")]),
            decided,
            alone: false,
        };
        let (mut built, mut jobs) = (Vec::new(), Vec::new());
        let among = |tests: &[String], test: &str| tests.iter().any(|other| other == test);
        for (test, feature) in self.pins.tests() {
            let elsewhere = among(&self.pins.timed, test) != machine.counts
                || among(&self.pins.slow, test) && machine.cpu != CPUS[0].1;
            if elsewhere {
                continue;
            }
            let planned = Planned { test: test.into(), feature };
            if self.programs.get(test).is_some_and(Option::is_some) {
                built.push(planned);
            } else {
                let why = format!("{test} does not compile with this machine's compiler");
                jobs.push(job(vec![planned], Some((Verdict::NotBuilt, why))));
            }
        }
        if !built.is_empty() {
            jobs.push(job(built, None));
        }
        jobs
    }
}

impl Suite for Selftests {
    fn identity(&self) -> &SuiteIdentity {
        &self.identity
    }

    fn configs(&self) -> Vec<Config> {
        let config = |machine: Machine| Config {
            command: format!(
                "qemu-system-x86_64 {} -kernel vmlinuz -initrd l1.cpio",
                machine.args.join(" ")
            ),
            config: machine.name,
            cpu: machine.cpu.into(),
        };
        machines().into_iter().map(config).collect()
    }

    fn plan(&self) -> Vec<Job> {
        machines().iter().flat_map(|machine| self.jobs(machine)).collect()
    }

    fn check(&self, _: &Qemu) -> Result<()> {
        // Whatever can be built of QEMU has what Linux needs.
        Ok(())
    }

    fn run(&self, work: &Work<'_>, emit: &mut dyn FnMut(Observation) -> Result<()>) -> Result<()> {
        l1::run(&self.parts, &self.programs, work, emit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The suite with all but one of its tests built.
    fn suite() -> Selftests {
        let pins = Pins::builtin().unwrap();
        let mut programs: BTreeMap<String, Option<PathBuf>> =
            pins.tests().into_keys().map(|name| (name.to_owned(), Some(name.into()))).collect();
        programs.insert("amx_test".into(), None);
        let kernel = crate::linux::kernel::Kernel {
            release: String::new(),
            image: PathBuf::new(),
            modules: Vec::new(),
        };
        Selftests {
            identity: SuiteIdentity::default(),
            parts: Parts { kernel, program: Vec::new() },
            digest: String::new(),
            timeout: TIMEOUT,
            programs,
            pins,
        }
    }

    #[test]
    fn every_configuration_boots_every_test_that_is_built_once() {
        let suite = suite();
        let (plan, all) = (suite.plan(), suite.pins.tests().len());
        let (timed, slow) = (suite.pins.timed.len(), suite.pins.slow.len());
        assert_eq!(suite.configs().len(), CPUS.len() * (PAGING.len() * COUNTS.len() + 1));
        for Config { config, command, .. } in suite.configs() {
            let jobs: Vec<_> = plan.iter().filter(|job| job.config == config).collect();
            let boots: Vec<_> = jobs.iter().filter(|job| job.decided.is_none()).collect();
            let counts = config.contains("icount");
            let left_out = timed + if config.starts_with("max") { 0 } else { slow };
            let expected = if counts { (1, timed) } else { (2, all - left_out - 1) };
            assert_eq!((jobs.len(), boots[0].tests.len()), expected, "{config}");
            assert_eq!((boots.len(), command.contains("-icount")), (1, counts), "{command}");
            if counts {
                continue;
            }
            assert_eq!(command.contains("npt=0"), config.contains("nonpt"), "{command}");
            assert_eq!(command.contains("-smp 1"), config.contains("1cpu"), "{command}");
        }
        let missing = plan.iter().find(|job| job.decided.is_some()).unwrap();
        assert_eq!(missing.tests[0].test, "amx_test");
        assert_eq!(missing.decided.as_ref().unwrap().0, Verdict::NotBuilt);
    }

    #[test]
    fn the_tests_kernel_is_of_the_tests_version() {
        let pins = Pins::builtin().unwrap();
        assert!(pins.kernel.release.starts_with(&pins.source.version));
        assert!(
            pins.timed
                .iter()
                .chain(&pins.slow)
                .all(|test| pins.tests().contains_key(test.as_str()))
        );
        let features = pins.tests().into_values().flatten().count();
        assert!(features > 40, "{features} tests are of a feature");
    }
}
