//! The conformance suite, as the harness runs suites.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

use svm_model::case::{Event, Step};
use svm_model::compare;
use svm_model::cpu::CpuSet;
use svm_model::outcome::{Obs, Outcome};

use crate::catalogue::{self, Entry};
use crate::exec::boot::Machine;
use crate::exec::guest::Guest;
use crate::exec::render;
use crate::exec::{Booted, End, Executor, LIMIT, Ran, platform_of};
use crate::host::cache;
use crate::host::error::Context;
use crate::host::hash;
use crate::qemu::Qemu;
use crate::rule_check::kept;
use crate::suites::ended::without_outcome;
use crate::suites::{
    Config, Job, Observation, Opened, Options, Planned, Suite, SuiteIdentity, Work, in_guest,
};
use crate::{Error, Kind, Result, Verdict};

/// The suite's name, and that of its one configuration.
pub const NAME: &str = "conformance";

/// Cases that one job runs; a job boots once or twice for them.
const CASES_A_JOB: usize = 128;

/// The cases, and the guest that runs them.
#[derive(Debug)]
pub struct Conformance {
    identity: SuiteIdentity,
    guest: Guest,
    limit: Duration,
    /// By the CPU that they need, so that those that share a boot are neighbours.
    entries: Vec<Entry>,
    /// Place in `entries` by id.
    places: HashMap<String, usize>,
}

/// Builds the guest and collects the cases; it needs nothing but this repository.
///
/// # Errors
/// Build, when the guest does not compile; set-up, when the suite is required
/// and the checkout has no guest.
pub fn open(options: &Options) -> Result<Opened> {
    let guest = match in_guest::build(options, NAME)? {
        Ok(guest) => guest,
        Err(absent) => return Ok(Opened::Absent(absent)),
    };
    let mut entries = catalogue::all();
    for (_, kept) in kept::load(&options.checkout)? {
        entries.push(kept.entry()?);
    }
    entries.sort_by_key(|e| (e.case.cpu.without, e.case.cpu.board));
    let places = entries.iter().enumerate().map(|(n, e)| (e.case.id.clone(), n)).collect();
    let version = format!("{} cases, {}", entries.len(), &digest(&guest, &entries)?[..16]);
    let identity = SuiteIdentity { name: NAME.into(), version };
    let limit = options.timeout.unwrap_or(LIMIT);
    Ok(Opened::Ready(Box::new(Conformance { identity, guest, limit, entries, places })))
}

/// Of everything that the verdicts of `entries` depend on, the QEMU apart.
fn digest(guest: &Guest, entries: &[Entry]) -> Result<String> {
    let mut parts = vec![guest.digest.clone()];
    for entry in entries {
        let expected = entry.expected(&catalogue::assumed(&entry.case));
        let text = serde_json::to_string(&(&entry.case, expected))
            .doing(Kind::Harness, || format!("writing case {} as JSON", entry.case.id))?;
        parts.push(text);
    }
    Ok(hash::of_parts(parts.iter().map(String::as_str)))
}

impl Suite for Conformance {
    fn identity(&self) -> &SuiteIdentity {
        &self.identity
    }

    fn configs(&self) -> Vec<Config> {
        vec![in_guest::config(NAME, "")]
    }

    fn plan(&self) -> Vec<Job> {
        let job = |entries: &[Entry]| {
            let planned =
                |e: &Entry| Planned { test: e.case.id.clone(), feature: Some(e.case.feature) };
            let tests = entries.iter().map(planned).collect();
            let timeout = self.limit * entries.len() as u32;
            let fingerprint = digest(&self.guest, entries).unwrap_or_default();
            Job::new(NAME, tests, timeout, Vec::new(), fingerprint)
        };
        self.entries.chunks(CASES_A_JOB).map(job).collect()
    }

    fn check(&self, qemu: &Qemu) -> Result<()> {
        check_device(qemu, NAME)
    }

    fn run(&self, work: &Work<'_>, emit: &mut dyn FnMut(Observation) -> Result<()>) -> Result<()> {
        let wanted = |p: &&Planned| self.places.get(&p.test).map(|&n| &self.entries[n]);
        let entries: Vec<&Entry> = work.pending.iter().filter_map(wanted).collect();
        let machine = Machine::new(work.qemu, self.guest.clone());
        let mut executor = Booted::new(Machine { limit: self.limit, ..machine });
        let offered = executor.platform(CpuSet::NONE)?;
        let mut log = String::new();
        for group in entries.chunk_by(|a, b| !leaves_marks(a) && !leaves_marks(b)) {
            let cases: Vec<_> = group.iter().map(|e| &e.case).collect();
            executor.run(&cases, &mut |n, ran| {
                let entry = group[n];
                // What the model expects depends on the CPU; what is written down does not.
                let expected = entry.expected(&platform_of(&offered, &entry.case));
                let ran = ran.expecting(&expected);
                describe(entry, &expected, &ran, &mut log);
                emit(observation(entry, &expected, &ran))
            })?;
        }
        write_log(work, &log)
    }
}

/// Whether a case has a boot of its own. A stock QEMU lets #VMEXITs out of the handler of an SMI,
/// and its CPU is in SMM from then on; what follows would depend on the cases before it.
fn leaves_marks(entry: &Entry) -> bool {
    let shown = entry.written.as_ref().is_some_and(|(shown, _)| shown.obs.contains(&Obs::L1Smi));
    shown || entry.case.steps.contains(&Step::Raise(Event::Smi))
}

/// Refuses a QEMU that the guest cannot end, on behalf of a suite.
///
/// # Errors
/// Usage.
pub fn check_device(qemu: &Qemu, suite: &str) -> Result<()> {
    if qemu.lacks(&["isa-debug-exit"])?.is_none() {
        return Ok(());
    }
    let what = format!("{} has no isa-debug-exit device", qemu.path.display());
    Err(Error::new(Kind::Usage, format!("{what}, which the {suite} suite needs"))
        .hint("configure QEMU with CONFIG_ISA_DEBUG"))
}

/// What a case came to.
fn observation(entry: &Entry, expected: &Outcome, ran: &Ran) -> Observation {
    let id = entry.case.id.as_str();
    if let Some(seen) = without_outcome(id, ran) {
        return seen;
    }
    let differences = compare(expected, &ran.seen());
    let first = differences.first().map(|d| format!("{d}; {}", entry.authority()));
    let verdict = if differences.is_empty() { Verdict::Pass } else { Verdict::Fail };
    Observation {
        passed: u32::from(differences.is_empty()),
        failed: differences.len() as u32,
        first_failure: first,
        ..Observation::bare(id, verdict, "")
    }
}

/// Adds to the log what a reader wants to see of a case.
fn describe(entry: &Entry, expected: &Outcome, ran: &Ran, log: &mut String) {
    let (title, text) = match ran {
        Ran::Outcome(_) | Ran::Open(_) => {
            let seen = ran.seen();
            match compare(expected, &seen).is_empty() {
                true => ("as expected", None),
                false => ("differs", Some(render::side_by_side(expected, &seen, true))),
            }
        }
        Ran::Skipped(_) => ("skipped", None),
        Ran::Broken(End::Killed(_), _) => ("killed", None),
        Ran::Broken(end, seen) => {
            let title = if matches!(end, End::TimedOut(_)) { "timeout" } else { "crash" };
            (title, Some(format!("{end}\n{}", render::outcome(seen))))
        }
    };
    let _ = match text {
        None => writeln!(log, "{}: {title}", entry.case.id),
        Some(text) => writeln!(
            log,
            "\n{}  {title} ({})\n{text}",
            render::case(&entry.case),
            entry.authority()
        ),
    };
}

/// Writes a job's log.
pub(crate) fn write_log(work: &Work<'_>, text: &str) -> Result<()> {
    if let Some(dir) = work.log.parent() {
        std::fs::create_dir_all(dir)
            .doing(Kind::Harness, || format!("creating {}", dir.display()))?;
    }
    std::fs::write(work.log, text).map_err(|e| cache::io_error("writing the log", work.log, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_about_smm_has_a_boot_of_its_own() {
        let (about, other): (Vec<Entry>, _) =
            catalogue::all().into_iter().partition(|e| e.case.id.starts_with("smm/"));
        let not: Vec<&str> =
            about.iter().filter(|e| !leaves_marks(e)).map(|e| e.case.id.as_str()).collect();
        assert!(about.len() > 3 && not.is_empty(), "{not:?}");
        assert!(other.iter().filter(|e| leaves_marks(e)).count() < 16, "a boot costs time");
    }
}
