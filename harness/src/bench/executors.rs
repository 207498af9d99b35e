//! What a case costs on each executor, its start apart: the model, QEMU's C code in a
//! process of its own, and the guest in one boot of a QEMU. In processor time, so that
//! what else runs on the machine does not count.

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use svm_model::case::Case;
use svm_model::cpu::CpuSet;
use svm_model::{cases, coverage, model};

use super::{Probe, Reading, Unit};
use crate::exec::boot::Machine;
use crate::exec::guest::{self, Guest};
use crate::exec::place;
use crate::exec::{Booted, Boots, Executor, Ran, c};
use crate::host::interrupt;
use crate::qemu::build::{Flavour, Spec, patch};
use crate::qemu::source;
use crate::qemu::{Qemu, Side};
use crate::{Env, Error, Kind, Result};

/// Cases of one run: as many as one boot takes, from all families.
const CASES: usize = 4000;
const STEP: usize = 3;
/// How long the model runs.
const MODEL: Duration = Duration::from_millis(500);

/// The model, and the guest in a QEMU.
#[derive(Debug)]
pub struct InQemu {
    guest: Guest,
    cases: Vec<Case>,
}

impl InQemu {
    /// Builds the guest.
    ///
    /// # Errors
    /// Build, when it does not compile.
    pub fn open(env: &Env) -> Result<Self> {
        Ok(InQemu { guest: guest::build(&env.repo)?, cases: cases::all(cases::SEED) })
    }
}

impl Probe for InQemu {
    fn round(&self, qemu: &Qemu) -> Result<Vec<Reading>> {
        let mut executor = Booted::new(Machine::new(qemu, self.guest.clone()));
        let reading = |name, value| Reading::new(name, Unit::Nanoseconds, value);
        let booted = per_case(&mut executor, &self.cases)?;
        Ok(vec![
            reading("executors/qemu", booted),
            reading("executors/model", in_model(&self.cases, MODEL)?.0),
        ])
    }
}

/// QEMU's C code in process, of the pinned base, stock and with the series.
#[derive(Debug)]
pub struct InProcess {
    executors: RefCell<Vec<(Side, Booted<c::InProcess>)>>,
    cases: Vec<Case>,
}

impl InProcess {
    /// Builds the executor from both trees.
    ///
    /// # Errors
    /// As [`place::c`].
    pub fn open(env: &Env) -> Result<Self> {
        let mut executors = Vec::new();
        for side in [Side::Stock, Side::Patched] {
            let source = source::obtain(env, &source::Request::default())?;
            let patches = match side {
                Side::Stock => Vec::new(),
                Side::Patched => patch::series(&env.series_dir(&source.major_minor()))?,
            };
            let spec = Spec { source, patches, flavour: Flavour::Release };
            executors.push((side, place::c(env, &spec)?));
        }
        Ok(InProcess { executors: RefCell::new(executors), cases: cases::all(cases::SEED) })
    }
}

impl Probe for InProcess {
    fn round(&self, qemu: &Qemu) -> Result<Vec<Reading>> {
        let mut executors = self.executors.borrow_mut();
        let own = executors.iter_mut().find(|(side, _)| *side == qemu.build.side);
        let Some((_, executor)) = own else { return Ok(Vec::new()) };
        let value = per_case(executor, &self.cases)?;
        Ok(vec![Reading::new("executors/c", Unit::Nanoseconds, value)])
    }
}

/// Nanoseconds of a case in one boot: what many take beyond what one takes.
fn per_case<B: Boots>(executor: &mut Booted<B>, cases: &[Case]) -> Result<f64> {
    let offered = executor.platform(CpuSet::NONE)?.features;
    let fits = |c: &&Case| {
        let cpu = c.cpu;
        cpu.without == CpuSet::NONE && offered.includes(cpu.needs) && cpu.board.is_small()
    };
    let all: Vec<&Case> = cases.iter().filter(fits).step_by(STEP).take(CASES).collect();
    // A case that does not come to an end by itself costs a boot.
    let mut ended = Vec::new();
    executor.run(&all, &mut |n, ran| {
        if matches!(ran, Ran::Outcome(_) | Ran::Open(_)) {
            ended.push(all[n]);
        }
        Ok(())
    })?;
    let Some(first) = ended.first().copied() else {
        return Err(Error::new(Kind::NothingRan, "no case comes to an end"));
    };
    let one = spent(executor, &[first])?;
    let many = spent(executor, &ended)?;
    Ok(many.saturating_sub(one).as_nanos() as f64 / (ended.len() - 1).max(1) as f64)
}

fn spent<B: Boots>(executor: &mut Booted<B>, cases: &[&Case]) -> Result<Duration> {
    let before = executor.spent();
    executor.run(cases, &mut |_, ran| {
        black_box(ran);
        Ok(())
    })?;
    Ok(executor.spent() - before)
}

/// Nanoseconds of a case in the model, on a processor that offers everything, and how
/// many cases those are.
///
/// # Errors
/// Interrupted.
pub fn in_model(cases: &[Case], limit: Duration) -> Result<(f64, usize)> {
    let runs: Vec<_> = cases
        .iter()
        .filter_map(|case| Some((case, coverage::platform_for(case, &coverage::FULL)?)))
        .collect();
    let (start, mut done) = (processor_time(), 0);
    let mut took = Duration::ZERO;
    while took < limit {
        for (case, platform) in &runs {
            interrupt::check()?;
            black_box(model::run(black_box(case), platform));
        }
        done += runs.len();
        took = processor_time() - start;
    }
    Ok((took.as_nanos() as f64 / done.max(1) as f64, runs.len()))
}

/// Of this thread.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}
