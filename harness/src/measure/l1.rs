//! L1's own work, in which SVM has no part. The series must not slow it down:
//! not in time, and not in instructions that QEMU executes for it.

use super::bare::protocol::kind;
use super::bare::{self, Task};
use super::count::Counter;
use super::{Probe, Reading, Unit};
use crate::conformance::guest::Guest;
use crate::qemu::Qemu;
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

    fn count(&self, qemu: &Qemu, tasks: &[Task]) -> Result<u64> {
        let machine = bare::machine(&self.guest, qemu);
        let (_, ended) = bare::boot(&machine, tasks, &self.counter.wrap())?;
        Counter::read(&ended.stderr)
    }
}

impl Probe for Instructions {
    fn rounds(&self, _asked: usize) -> usize {
        1
    }

    /// Counts are of the work alone: those of a boot without any are taken off.
    fn round(&self, qemu: &Qemu) -> Result<Vec<Reading>> {
        let starts: Vec<u64> = (0..STARTS).map(|_| self.count(qemu, &[])).collect::<Result<_>>()?;
        let boot = starts.into_iter().min().unwrap_or_default();
        let mut readings = Vec::new();
        for work in &WORK {
            let count = self.count(qemu, &[task(work, COUNTED)])?.saturating_sub(boot);
            let name = format!("l1/{}-instructions", work.0);
            readings.push(Reading::new(name, Unit::Instructions, count as f64));
        }
        readings.push(Reading::new("l1/start-instructions", Unit::Instructions, boot as f64));
        Ok(readings)
    }
}

fn task(&(_, kind, trips): &(&str, u64, u64), samples: u64) -> Task {
    Task { kind, samples, trips, ..Task::default() }
}
