//! Boot after boot, until there were so many VMRUNs; each finding made small.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::beside::Beside;
use super::ended::What;
use super::machine::{Came, Machine};
use super::mode::Mode;
use super::shrink::{Small, shrink};
use super::world::Range;
use crate::exec::guest::Guest;
use crate::host::console::Console;
use crate::host::interrupt;
use crate::qemu::Qemu;
use crate::{Kind, Result};

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Request {
    /// VMRUNs, at least.
    pub vmruns: u64,
    /// The seed of all attempts.
    pub seed: u64,
    /// The first attempt's number.
    pub first: u64,
    /// Attempts, at most; none is no limit.
    pub attempts: Option<u64>,
    /// The changes that are made, for one attempt; none is all.
    pub keep: Option<super::world::Keep>,
    /// The kinds of attempts, one a bit; 0 is all.
    pub kinds: u64,
    /// The modes, in turn.
    pub modes: Vec<Mode>,
    /// The numbers of processors, in turn: one, two.
    pub processors: Vec<u32>,
    /// What is done beside, in turn.
    pub beside: Vec<Beside>,
    /// How long a request may have no answer.
    pub patience: Duration,
    /// Whether findings are made small.
    pub shrink: bool,
}

/// A way of running, whose counts are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Way {
    /// The mode.
    pub mode: Mode,
    /// Processors.
    pub processors: u32,
    /// What was done beside.
    pub beside: Beside,
}

impl Way {
    /// Attempts of one boot: a hand at the monitor is in the way most of the time.
    fn attempts(self) -> u64 {
        let share = if self.beside == Beside::Nothing { 1 } else { 10 };
        self.mode.attempts() / share
    }
}

/// What was done in one way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Done {
    /// Starts of QEMU.
    pub boots: u64,
    /// Attempts.
    pub attempts: u64,
    /// VMRUN instructions.
    pub vmruns: u64,
    /// Resets, of the machine or of its first processor.
    pub resets: u64,
    /// Exceptions in L1.
    pub faults: u64,
    /// Commands at the monitor and runs of single steps.
    pub deeds: u64,
    /// Resets by the harness, of a guest that went round in circles or slept for ever.
    pub revivals: u64,
    /// Wall time.
    pub seconds: f64,
}

/// Something wrong with QEMU.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What.
    pub what: What,
    /// How it was seen.
    pub way: Way,
    /// The attempts that show it: the smallest range that does, where it was seen again.
    pub range: Range,
    /// Whether it was seen again.
    pub again: bool,
    /// What the one attempt changes, where it is one: number, place, bytes, value.
    pub changes: Vec<[u64; 4]>,
}

/// Everything that a campaign came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// By way.
    pub done: BTreeMap<Way, Done>,
    /// One a kind.
    pub findings: Vec<Finding>,
    /// Findings of a kind that was there already.
    pub more: u64,
    /// The number behind the last attempt.
    pub next: u64,
}

impl Report {
    /// All VMRUNs.
    pub fn vmruns(&self) -> u64 {
        self.done.values().map(|d| d.vmruns).sum()
    }
}

/// Runs it. Ctrl-C ends it early, with what there is.
///
/// # Errors
/// Harness, when QEMU cannot be started; Usage, for one without SVM.
pub fn run(console: &Console, qemu: &Qemu, guest: &Guest, request: &Request) -> Result<Report> {
    let mut report = Report { next: request.first, ..Report::default() };
    let begun = Instant::now();
    let last = request.attempts.map_or(u64::MAX, |n| request.first.saturating_add(n));
    for boot in 0.. {
        if report.next >= last || report.vmruns() >= request.vmruns || interrupt::requested() {
            break;
        }
        let (machine, way) = machine(qemu, guest, request, boot);
        let count = way.attempts().min(last - report.next);
        let range = Range {
            seed: request.seed,
            first: report.next,
            count,
            kinds: request.kinds,
            keep: request.keep,
        };
        let start = Instant::now();
        let came = match machine.run(&range) {
            Err(e) if e.kind() == Kind::Interrupted => break,
            came => came?,
        };
        report.count(way, &range, &came, start.elapsed());
        if let Some(what) = came.what {
            report.found(console, &machine, way, &range, came.next, what, request.shrink)?;
        }
        // Whatever the last one did, it is over.
        report.next = (came.next + 1).min(range.first + count).max(report.next + 1);
        console.progress(report.vmruns().min(request.vmruns), request.vmruns, line(&report, begun));
    }
    console.end_progress();
    Ok(report)
}

/// The machine of a boot, by its number: each of the choices in turn.
fn machine<'a>(
    qemu: &'a Qemu,
    guest: &'a Guest,
    request: &Request,
    boot: u64,
) -> (Machine<'a>, Way) {
    fn turn<T: Copy>(all: &[T], n: &mut u64) -> T {
        let chosen = all[(*n % all.len() as u64) as usize];
        *n /= all.len() as u64;
        chosen
    }
    let mut n = boot;
    let mode = turn(&request.modes, &mut n);
    let chosen = turn(&request.processors, &mut n);
    let processors = if mode.allows(chosen) { chosen } else { 1 };
    // A recording is made without anybody beside.
    let beside = if mode == Mode::Replay { Beside::Nothing } else { turn(&request.beside, &mut n) };
    let machine = Machine {
        qemu,
        guest,
        mode,
        second: processors == 2,
        beside,
        patience: request.patience,
        term: request.attempts.is_none() && mode != Mode::Replay && boot % 8 == 7,
    };
    (machine, Way { mode, processors, beside })
}

fn line(report: &Report, begun: Instant) -> String {
    let rate = report.vmruns() as f64 / begun.elapsed().as_secs_f64();
    format!("VMRUNs, {rate:.0} a second; {} findings", report.findings.len())
}

impl Report {
    fn count(&mut self, way: Way, range: &Range, came: &Came, took: Duration) {
        let done = self.done.entry(way).or_default();
        done.boots += 1;
        done.attempts += came.next.saturating_sub(range.first);
        done.vmruns += came.counts.vmruns;
        done.resets += came.counts.resets.saturating_sub(1);
        done.faults += came.counts.faults;
        done.deeds += came.deeds;
        done.revivals += came.revivals;
        done.seconds += took.as_secs_f64();
    }

    #[allow(clippy::too_many_arguments)]
    fn found(
        &mut self,
        console: &Console,
        machine: &Machine<'_>,
        way: Way,
        range: &Range,
        at: u64,
        what: What,
        small: bool,
    ) -> Result<()> {
        console.note(format_args!("attempt {at} of seed {}, {}: {what}", range.seed, way.mode));
        if self.findings.iter().any(|f| f.what.kind() == what.kind()) {
            self.more += 1;
            return Ok(());
        }
        let machine = Machine { term: what == What::IgnoresTerm, ..*machine };
        let all = Range { count: at + 1 - range.first, ..range.clone() };
        let (range, again) = match small {
            false => (all, false),
            true => match shrink(&machine, &what, range, at) {
                Ok(Small::Range(range)) => (range, true),
                Ok(Small::NotAgain) => (all, false),
                // What there is so far is worth showing.
                Err(e) if e.kind() == Kind::Interrupted => (all, false),
                Err(e) => return Err(e),
            },
        };
        let changes = match range.count {
            1 if !interrupt::requested() => machine.changes(&range)?,
            _ => Vec::new(),
        };
        self.findings.push(Finding { what, way, range, again, changes });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qemu::testing::identity;

    #[test]
    fn every_way_has_its_turn() {
        let qemu = Qemu {
            build: identity("patched-10.2.2"),
            path: "qemu".into(),
            digest: String::new(),
            firmware: Vec::new(),
        };
        let guest = Guest { segments: Vec::new(), rom: "rom".into(), digest: String::new() };
        let request = Request {
            vmruns: 1,
            seed: 1,
            first: 0,
            attempts: None,
            keep: None,
            kinds: 0,
            modes: Mode::ALL.to_vec(),
            processors: vec![1, 2],
            beside: Beside::ALL.to_vec(),
            patience: Duration::from_secs(1),
            shrink: true,
        };
        let ways: std::collections::BTreeSet<Way> =
            (0..30).map(|boot| machine(&qemu, &guest, &request, boot).1).collect();
        // Four modes with three things beside, and the recording of one processor with none.
        assert_eq!(ways.len(), 2 * 4 * 3 + 1);
    }
}
