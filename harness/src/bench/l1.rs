//! L1's own work, in which SVM has no part. The series must not slow it down:
//! not in time, and not in instructions that QEMU executes for it.

use svm_model::cpu::CpuFeature;

use super::bare::protocol::kind;
use super::bare::{self, Task};
use super::count::Counter;
use super::{Probe, Reading, Unit};
use crate::exec::guest::Guest;
use crate::qemu::{Qemu, Side};
use crate::{Env, Result};

/// The work: its name, its kind, and how many trips make a sample.
const WORK: [(&str, u64, u64); 5] = [
    ("calls", kind::CALLS, 20),
    ("interrupts", kind::INTERRUPTS, 100),
    ("memory", kind::MEMORY, 20),
    ("paging", kind::PAGING, 50),
    ("system", kind::SYSTEM, 2000),
];
/// Samples for times.
const SAMPLES: u64 = 200;
/// Samples for instruction counts, which need no repetition: enough work to
/// outweigh what QEMU's other threads do by chance (a start differs by some
/// 3 million from one run to the next), and no more, since it takes fifty times
/// as long.
const COUNTED: u64 = 200;
/// Boots without work. QEMU's other threads only ever add to a count, some 5 % of
/// such a short one, so that the least is the closest.
const STARTS: usize = 4;

/// What stock QEMU offers of SVM's CPUID leaf; the rest is the series'.
const OF_STOCK: [&str; 3] = ["npt", "vgif", "svme-addr-chk"];
/// The CPUID leaf of SVM's features.
const SVM_LEAF: u32 = 0x8000_000a;

/// The probe of times.
#[derive(Debug)]
pub struct Times {
    guest: Guest,
}

/// The probe of instruction counts.
#[derive(Debug)]
pub struct Instructions {
    guest: Guest,
    counter: Counter,
}

impl Times {
    /// Builds the guest.
    ///
    /// # Errors
    /// Build, when it does not compile.
    pub fn open(env: &Env) -> Result<Self> {
        Ok(Times { guest: bare::build(&env.repo)? })
    }
}

impl Probe for Times {
    fn round(&self, qemu: &Qemu) -> Result<Vec<Reading>> {
        let tasks: Vec<_> = WORK.iter().map(|work| task(work, SAMPLES)).collect();
        let (timed, _) = bare::time(&bare::machine(&self.guest, qemu), &tasks)?;
        let reading = |((name, ..), timed): (&(&str, u64, u64), &bare::Timed)| {
            Reading::new(format!("l1/{name}"), Unit::Nanoseconds, timed.median())
        };
        Ok(WORK.iter().zip(&timed).map(reading).collect())
    }
}

impl Instructions {
    /// Builds the guest and finds the counter.
    ///
    /// # Errors
    /// Build, when it does not compile; Setup, when there is no valgrind.
    pub fn open(env: &Env) -> Result<Self> {
        Ok(Instructions { counter: Counter::find(env)?, guest: bare::build(&env.repo)? })
    }

    /// Counts each work and a start, by name and instructions. Counts are of the
    /// work alone: those of a boot without any are taken off.
    fn counts(&self, qemu: &Qemu, cpu: &str) -> Result<Vec<(&'static str, u64)>> {
        let machine = bare::machine(&self.guest, qemu);
        let count = |tasks: &[Task]| {
            let (_, ended) = bare::boot(&machine, cpu, tasks, &self.counter.wrap())?;
            Counter::read(&ended.stderr)
        };
        let starts: Vec<u64> = (0..STARTS).map(|_| count(&[])).collect::<Result<_>>()?;
        let start = starts.into_iter().min().unwrap_or_default();
        let mut counts = Vec::new();
        for work in &WORK {
            counts.push((work.0, count(&[task(work, COUNTED)])?.saturating_sub(start)));
        }
        counts.push(("start", start));
        Ok(counts)
    }
}

impl Probe for Instructions {
    fn rounds(&self, _asked: usize) -> usize {
        1
    }

    fn round(&self, qemu: &Qemu) -> Result<Vec<Reading>> {
        let mut readings = Vec::new();
        for (group, cpu) in [("l1", bare::CPU.to_owned()), ("l1-off", features_off(qemu))] {
            for (work, count) in self.counts(qemu, &cpu)? {
                let name = format!("{group}/{work}-instructions");
                readings.push(Reading::new(name, Unit::Instructions, count as f64));
            }
        }
        Ok(readings)
    }
}

/// The CPU with none of the features that the series adds: on stock, which may
/// not know their names, the CPU as it is.
fn features_off(qemu: &Qemu) -> String {
    let added = CpuFeature::ALL
        .iter()
        .filter(|f| f.cpuid().leaf == SVM_LEAF && !OF_STOCK.contains(&f.name()))
        .filter(|_| qemu.build.side == Side::Patched);
    added.fold(bare::CPU.to_owned(), |cpu, f| cpu + ",-" + f.name())
}

fn task(&(_, kind, trips): &(&str, u64, u64), samples: u64) -> Task {
    Task { kind, samples, trips, ..Task::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qemu::testing::identity;

    #[test]
    fn what_the_series_adds_is_off_on_patched_and_unnamed_on_stock() {
        let cpu = |build: &str| {
            features_off(&Qemu {
                build: identity(build),
                path: "qemu".into(),
                digest: String::new(),
                firmware: Vec::new(),
            })
        };
        assert_eq!(cpu("stock-10.2.2"), "max,+svm");
        let patched = cpu("patched-10.2.2");
        for name in ["nrip-save", "lbrv", "gmet", "idle-hlt"] {
            assert!(patched.contains(&format!(",-{name}")), "{patched}");
        }
        assert!(!patched.contains("npt") && !patched.contains("vgif"), "{patched}");
    }
}
