//! Guests that no hypervisor runs: VMCBs drawn from a seed, a second processor that
//! changes them meanwhile, and a hand at the monitor.
//!
//! Nothing is said of what comes out of a VMRUN: QEMU must go on, answer, and have
//! no sanitizer complain. What it does not is a finding, with the attempts that show it.
//!
//! ```text
//! world     the guest's RAM
//! mode      the ways in which QEMU runs a guest
//! beside    what is done at the monitor and the gdbstub
//! ended     what is wrong with a QEMU, and what is its guest's doing
//! machine   one QEMU, from its start to its end
//! shrink    from thousands of attempts to the one change that matters
//! campaign  boot after boot
//! text      a campaign in words
//! counts    `results/hostile.json`
//! ```
//!
//! The guest is `harness/guest/src/hostile`.

pub mod beside;
pub mod campaign;
pub mod counts;
pub mod ended;
pub mod mode;
pub mod text;
pub mod world;

mod machine;
mod shrink;

#[path = "../../../guest/src/hostile/protocol.rs"]
pub mod protocol;

use std::path::Path;
use std::time::Duration;

use self::beside::Beside;
use self::campaign::{Report, Request};
use self::mode::Mode;
use super::{Absent, Config, Job, Observation, Opened, Options, Planned, Suite, SuiteIdentity};
use super::{Work, conformance};
use crate::exec::guest::{self, Guest};
use crate::host::console::{Console, Verbosity};
use crate::host::hash;
use crate::qemu::Qemu;
use crate::{Error, Kind, Result, Verdict};

/// The suite's name.
pub const NAME: &str = "hostile";

/// The kinds of attempts, by their number in [`protocol::kind`].
pub const KINDS: [&str; protocol::kind::COUNT as usize] = ["random", "flipped", "places", "events"];

/// How long a QEMU may give no answer, on however busy a machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// No machine takes that long for one test.
const TIMEOUT: Duration = Duration::from_secs(600);
/// The seed of the suite's attempts.
const SEED: u64 = 1;
/// One test makes one so manieth of the attempts of an undisturbed boot.
const SHARE: u64 = 20;

struct Hostile {
    identity: SuiteIdentity,
    guest: Guest,
    patience: Duration,
}

/// Builds the guest of the checkout `repo`.
///
/// # Errors
/// As [`guest::build`].
pub fn build(repo: &Path) -> Result<Guest> {
    guest::build_program(repo, "svm-hostile")
}

/// Builds the guest; it needs nothing but this repository.
///
/// # Errors
/// Build, when the guest does not compile; set-up, when the suite is required
/// and the checkout has no guest.
pub fn open(options: &Options) -> Result<Opened> {
    if !options.checkout.join(guest::FOLDER).is_dir() {
        let why = format!("no {} in this checkout", guest::FOLDER);
        if options.require.contains(NAME) {
            return Err(Error::new(Kind::Setup, format!("{NAME} is required, but there is {why}")));
        }
        return Ok(Opened::Absent(Absent { suite: NAME.into(), why }));
    }
    let guest = build(&options.checkout)?;
    let version = format!("seed {SEED}, {}", &guest.digest[..16]);
    let identity = SuiteIdentity { name: NAME.into(), version };
    let patience = options.timeout.unwrap_or(PATIENCE);
    Ok(Opened::Ready(Box::new(Hostile { identity, guest, patience })))
}

/// A configuration: a mode, and how many processors.
fn configs() -> impl Iterator<Item = (String, Mode, u32)> {
    let both = |mode: Mode| {
        [(mode.name().to_owned(), 1), (format!("{mode}-2cpu"), 2)].map(|(name, n)| (name, mode, n))
    };
    let allowed = |(_, mode, n): &(String, Mode, u32)| mode.allows(*n);
    Mode::ALL
        .into_iter()
        .flat_map(both)
        .filter(allowed)
        .map(|(name, mode, n)| (format!("{NAME}-{name}"), mode, n))
}

impl Hostile {
    fn request(&self, mode: Mode, processors: u32, kind: u64) -> Request {
        let attempts = mode.attempts() / SHARE;
        Request {
            vmruns: u64::MAX,
            seed: SEED,
            first: 0,
            attempts: Some(attempts),
            keep: None,
            kinds: 1 << kind,
            modes: vec![mode],
            processors: vec![processors],
            beside: vec![Beside::Monitor],
            patience: self.patience,
            shrink: true,
        }
    }
}

impl Suite for Hostile {
    fn identity(&self) -> &SuiteIdentity {
        &self.identity
    }

    fn configs(&self) -> Vec<Config> {
        let config = |(config, mode, processors): (String, Mode, u32)| Config {
            config,
            cpu: "max,+svm".into(),
            command: format!(
                "qemu-system-x86_64 -nodefaults -machine pc,memory-backend=ram -cpu max,+svm \
                 -bios svm-hostile.rom -smp {processors} {}",
                mode.arguments().join(" ")
            ),
        };
        configs().map(config).collect()
    }

    fn plan(&self) -> Vec<Job> {
        let job = |(config, _, _): (String, Mode, u32)| Job {
            fingerprint: hash::of_parts([&self.guest.digest, &config]),
            config,
            tests: KINDS.map(|kind| Planned { test: kind.into(), feature: None }).to_vec(),
            timeout: TIMEOUT * KINDS.len() as u32,
            args: Vec::new(),
            decided: None,
            alone: false,
        };
        configs().map(job).collect()
    }

    fn check(&self, qemu: &Qemu) -> Result<()> {
        conformance::check_device(qemu, NAME)
    }

    fn run(&self, work: &Work<'_>, emit: &mut dyn FnMut(Observation) -> Result<()>) -> Result<()> {
        let quiet = Console::new(Verbosity::Quiet);
        let mut log = String::new();
        let config = configs().find(|(name, _, _)| *name == work.job.config);
        let Some((_, mode, processors)) = config else { return Ok(()) };
        for planned in work.pending {
            let Some(kind) = (0..).zip(KINDS).find(|(_, name)| **name == planned.test) else {
                continue;
            };
            let request = self.request(mode, processors, kind.0);
            let report = campaign::run(&quiet, work.qemu, &self.guest, &request)?;
            crate::host::interrupt::check()?;
            log += &format!("{}:\n{}\n", planned.test, text::report(&report, "PATH"));
            emit(observation(&planned.test, &report))?;
        }
        conformance::write_log(work, &log)
    }
}

/// What a campaign comes to as a test.
fn observation(test: &str, report: &Report) -> Observation {
    let Some(first) = report.findings.first() else {
        let passed = u32::try_from(report.vmruns()).unwrap_or(u32::MAX);
        let pass = Observation::bare(test, Verdict::Pass, "");
        return Observation { passed, first_failure: None, ..pass };
    };
    let verdict = match first.what {
        ended::What::Ended(_) | ended::What::Report(_) => Verdict::Crash,
        ended::What::Deaf(_) | ended::What::IgnoresTerm => Verdict::Timeout,
        ended::What::Diverged(_) => Verdict::Fail,
    };
    let why = format!("{}; {}", first.what, text::command(first, "PATH"));
    Observation { failed: report.findings.len() as u32, ..Observation::bare(test, verdict, why) }
}

#[cfg(test)]
mod tests {
    use super::campaign::{Finding, Way};
    use super::ended::What;
    use super::*;

    #[test]
    fn a_test_is_what_its_first_finding_is() {
        let way = Way { mode: Mode::Mttcg, processors: 1, beside: Beside::Nothing };
        let range = world::Range { seed: 1, first: 7, count: 1, kinds: 0, keep: None };
        let with = |what| {
            let finding =
                Finding { what, way, range: range.clone(), again: true, changes: Vec::new() };
            let report = Report { findings: vec![finding], ..Report::default() };
            observation("random", &report)
        };
        let crash = with(What::Ended("signal: 6: x".into()));
        assert_eq!(crash.verdict, Verdict::Crash);
        assert!(crash.first_failure.unwrap().contains("--seed 1 --first 7 --attempts 1"));
        assert_eq!(with(What::Deaf("stop".into())).verdict, Verdict::Timeout);
        assert_eq!(with(What::Diverged("x".into())).verdict, Verdict::Fail);
        assert_eq!(observation("random", &Report::default()).verdict, Verdict::Pass);
    }

    #[test]
    fn every_mode_but_the_recording_has_a_configuration_with_two_processors() {
        let names: Vec<String> = configs().map(|(name, _, _)| name).collect();
        assert_eq!(names.len(), Mode::ALL.len() * 2 - 1);
        assert!(names.contains(&"hostile-one-insn-2cpu".to_owned()), "{names:?}");
    }
}
