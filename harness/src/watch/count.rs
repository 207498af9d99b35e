//! How often QEMU enters and leaves guests, and how long it is in either world.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use svm_model::vmcb::exit;

use super::line::{Event, Line, Stamp};

/// Refusals that are kept, the last ones.
const KEPT: usize = 5;

/// Some spans of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    micros: u64,
    number: u64,
}

impl Spans {
    fn add(&mut self, micros: u64) {
        self.micros += micros;
        self.number += 1;
    }

    /// How long one is on average, in microseconds; `None` where there is none.
    pub fn mean(self) -> Option<f64> {
        (self.number > 0).then(|| self.micros as f64 / self.number as f64)
    }
}

/// The exits of one code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exits {
    /// How many.
    pub count: u64,
    /// From VMRUN to #VMEXIT, in L2.
    pub l2: Spans,
    /// From #VMEXIT to the next VMRUN, in L1.
    pub l1: Spans,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Exits by code.
    pub exits: BTreeMap<u64, Exits>,
    /// Guests entered.
    pub vmruns: u64,
    /// Events injected.
    pub injected: u64,
    /// Flushes by cause.
    pub flushes: BTreeMap<String, u64>,
    /// Lines that begin as a trace event of ours, and cannot be read.
    pub unreadable: u64,
}

impl Counts {
    /// All exits.
    pub fn all_exits(&self) -> u64 {
        self.exits.values().map(|exits| exits.count).sum()
    }

    /// VMRUNs that were refused.
    pub fn refused(&self) -> u64 {
        self.exits.get(&exit::INVALID).map_or(0, |exits| exits.count)
    }
}

/// A VMRUN that was refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refusal {
    /// Seconds since we began.
    pub seconds: f64,
    /// The processor.
    pub cpu: u32,
    /// The VMCB.
    pub vmcb: u64,
    /// Why, as QEMU calls it.
    pub reasons: Vec<String>,
}

/// Where a processor is.
#[derive(Debug, Default)]
struct Where {
    /// It entered a guest then.
    entered: Option<Stamp>,
    /// It left one then, for that reason.
    left: Option<(Stamp, u64)>,
    /// Why the VMRUN under way is refused.
    reasons: Vec<String>,
}

/// Counts.
#[derive(Debug, Default)]
pub struct Counter {
    /// All since the beginning.
    pub counts: Counts,
    /// The last refusals.
    pub refusals: VecDeque<Refusal>,
    cpus: BTreeMap<u32, Where>,
}

impl Counter {
    /// Counts what was traced, so many seconds after the beginning.
    pub fn take(&mut self, line: &Line, seconds: f64) {
        let here = self.cpus.entry(line.cpu).or_default();
        match &line.event {
            Event::Vmrun { .. } => {
                self.counts.vmruns += 1;
                here.reasons.clear();
                here.entered = line.at;
                if let (Some((then, code)), Some(now)) = (here.left.take(), line.at) {
                    self.counts.exits.entry(code).or_default().l1.add(now.since(then));
                }
            }
            Event::Refused { reason, .. } => here.reasons.push(reason.clone()),
            Event::Exit { vmcb, exit: told } => {
                let exits = self.counts.exits.entry(told.code).or_default();
                exits.count += 1;
                if let (Some(then), Some(now)) = (here.entered.take(), line.at) {
                    exits.l2.add(now.since(then));
                }
                here.left = line.at.map(|now| (now, told.code));
                let reasons = std::mem::take(&mut here.reasons);
                if told.code == exit::INVALID {
                    if self.refusals.len() == KEPT {
                        self.refusals.pop_front();
                    }
                    let (cpu, vmcb) = (line.cpu, *vmcb);
                    self.refusals.push_back(Refusal { seconds, cpu, vmcb, reasons });
                }
            }
            Event::Inject { .. } => self.counts.injected += 1,
            Event::Flush { cause } => match self.counts.flushes.get_mut(cause) {
                Some(count) => *count += 1,
                None => _ = self.counts.flushes.insert(cause.clone(), 1),
            },
            Event::Gif { .. } | Event::Vmcb { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::{Read, read};
    use super::*;

    fn counted(trace: &str) -> Counter {
        let mut counter = Counter::default();
        for text in trace.lines() {
            match read(text) {
                Read::Line(line) => counter.take(&line, 1.5),
                other => panic!("{text}: {other:?}"),
            }
        }
        counter
    }

    const ENTER: &str = "asid 1 rip 0x0 cr3 0x0 nested_ctl 0x1 nested_cr3 0x3000";
    const LEAVE: &str = "info1 0x0 info2 0x0 int_info 0x0 rip 0x0 next_rip 0x0";

    #[test]
    fn times_are_those_of_either_world_and_each_processor_has_its_own() {
        let at = |micros: u32| format!("2026-11-28T00:00:00.{micros:06}Z");
        let counter = counted(&format!(
            "{} svm_vmrun cpu 0 vmcb 0x1000 {ENTER}\n\
             {} svm_vmrun cpu 1 vmcb 0x2000 {ENTER}\n\
             {} svm_vmexit cpu 0 vmcb 0x1000 code 0x72 {LEAVE}\n\
             {} svm_vmexit cpu 1 vmcb 0x2000 code 0x78 {LEAVE}\n\
             {} svm_vmrun cpu 0 vmcb 0x1000 {ENTER}\n\
             {} svm_vmexit cpu 0 vmcb 0x1000 code 0x72 {LEAVE}\n",
            at(100),
            at(105),
            at(110),
            at(125),
            at(150),
            at(170)
        ));
        let exits = &counter.counts.exits;
        assert_eq!(exits[&0x72].count, 2);
        assert_eq!((exits[&0x72].l2.mean(), exits[&0x72].l1.mean()), (Some(15.0), Some(40.0)));
        assert_eq!((exits[&0x78].l2.mean(), exits[&0x78].l1.mean()), (Some(20.0), None));
        assert_eq!((counter.counts.vmruns, counter.counts.all_exits()), (3, 3));
    }

    #[test]
    fn without_stamps_there_are_counts_and_no_times() {
        let counter = counted(&format!(
            "svm_vmrun cpu 0 vmcb 0x1000 {ENTER}\n\
             svm_flush cpu 0 asid 1: another ASID\n\
             svm_inject cpu 0 vmcb 0x1000 info 0x80000031 error_code 0x0 rip 0x0\n\
             svm_vmexit cpu 0 vmcb 0x1000 code 0x72 {LEAVE}\n\
             svm_vmrun cpu 0 vmcb 0x1000 {ENTER}\n"
        ));
        let exits = counter.counts.exits[&0x72];
        assert_eq!((exits.count, exits.l2.mean(), exits.l1.mean()), (1, None, None));
        assert_eq!((counter.counts.injected, counter.counts.flushes["another ASID"]), (1, 1));
    }

    #[test]
    fn a_refusal_has_all_its_reasons_and_the_last_ones_are_kept() {
        let mut trace = String::new();
        for n in 0..KEPT + 2 {
            trace += &format!(
                "svm_vmrun_refused cpu 0 vmcb {n:#x}000: ASID is zero\n\
                 svm_vmrun_refused cpu 0 vmcb {n:#x}000: reserved bit of CR4\n\
                 svm_vmexit cpu 0 vmcb {n:#x}000 code 0xffffffffffffffff {LEAVE}\n"
            );
        }
        let counter = counted(&trace);
        assert_eq!((counter.refusals.len(), counter.counts.refused()), (KEPT, KEPT as u64 + 2));
        assert_eq!((counter.counts.vmruns, counter.refusals[0].vmcb), (0, 0x2000));
        assert_eq!(counter.refusals[0].reasons, ["ASID is zero", "reserved bit of CR4"]);
    }
}
