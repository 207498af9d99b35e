//! The executors `qemu` and `c`: many cases a boot, and on behind one that broke it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use svm_model::case::{Board, Case};
use svm_model::coverage;
use svm_model::cpu::{CpuSet, Platform};
use svm_model::outcome::Outcome;

use super::batch::{Batch, Lost, check_header, check_state, read_back, read_platform};
use super::boot::Ended;
use super::ram::Ram;
use super::ran::{Crash, End};
use super::{Executor, Ran, cpu_argument};
use crate::{Error, Kind, Result};

/// Without progress in a case for that long, it is stuck.
pub const LIMIT: Duration = Duration::from_secs(2);

/// What runs a batch that lies in RAM: a machine with the guest in it, or QEMU's
/// C code in a process of its own.
pub trait Boots {
    /// Runs the batch on a CPU without those features; how it ended, and the
    /// processor time of a process that ended by itself.
    ///
    /// # Errors
    /// Harness, when it cannot be started or watched; Interrupted.
    fn boot(&self, without: CpuSet, board: Board, ram: &Ram) -> Result<(Ended, Duration)>;
}

/// What a case wants to be booted: a CPU without those features, on that board; and whether it
/// leaves what nothing but a boot puts back.
pub type Wanted = (CpuSet, Board, bool);

/// What `case` wants to be booted of something that can offer `all`: what no CPU of it has need
/// not be switched off, and has no name to do it by.
pub fn wanted(all: CpuSet, case: &Case) -> Wanted {
    (all.minus(all.minus(case.cpu.without)), case.cpu.board, case.leaves_branches())
}

/// Runs cases on something that boots.
#[derive(Debug)]
pub struct Booted<B> {
    place: B,
    /// What each CPU that was booted offers, by what it was booted without.
    platforms: Vec<(CpuSet, Platform)>,
    /// Processor time of the processes that ended by themselves.
    spent: Cell<Duration>,
}

impl<B: Boots> Booted<B> {
    /// In that place.
    pub fn new(place: B) -> Self {
        Booted { place, platforms: Vec::new(), spent: Cell::default() }
    }

    /// Processor time so far of the processes in which cases ran, of those that ended by
    /// themselves.
    pub fn spent(&self) -> Duration {
        self.spent.get()
    }

    /// Boots `wanted` once with as many of `queue` as fit; how many it got through.
    fn run_some(
        &mut self,
        wanted: Wanted,
        cases: &[&Case],
        queue: &[usize],
        emit: &mut dyn FnMut(usize, Ran) -> Result<()>,
    ) -> Result<usize> {
        let (without, board, _) = wanted;
        let mut most = queue.len();
        loop {
            let mut batch = Batch::default();
            for &n in &queue[..most] {
                if !batch.add(cases[n], &self.likely(without, cases[n]))? {
                    break;
                }
            }
            let (ram, end) = self.boot(without, board, &batch)?;
            let ran = match read_back(&ram, end, &batch) {
                // One of them has overwritten the guest: fewer at a time find it.
                Err(Lost::Garbage(_)) if batch.count > 1 => {
                    most = batch.count / 2;
                    continue;
                }
                Err(Lost::Garbage(what)) => {
                    vec![Ran::Broken(End::Crashed(Crash::Talk(what)), Outcome::default())]
                }
                ran => ran?,
            };
            let offered = self.met(without, &ran, &ram)?.features;
            let done = ran.len();
            for (n, ran) in queue.iter().zip(ran) {
                match cases[*n].cpu.needs.minus(offered) {
                    CpuSet::NONE => emit(*n, ran)?,
                    lacking => emit(*n, Ran::Skipped(lacking))?,
                }
            }
            return Ok(done);
        }
    }

    /// What the CPU without those features offers, which has been booted for `ran`: what it says
    /// of itself, if it came as far as a case's end.
    fn met(&mut self, without: CpuSet, ran: &[Ran], ram: &Ram) -> Result<Platform> {
        match self.known(without) {
            Some(platform) => Ok(platform),
            None if matches!(ran.first(), None | Some(Ran::Broken(..))) => self.platform(without),
            None => {
                let platform = read_platform(ram)?;
                self.platforms.push((without, platform));
                Ok(platform)
            }
        }
    }

    /// What the CPU without those features may offer: what it has said of itself, or, before it is
    /// booted, what one with all of them has, less these; and what has most and least, since an
    /// executor that differs may do as those.
    fn likely(&self, without: CpuSet, case: &Case) -> Vec<Platform> {
        let less = |p: Platform| Platform { features: p.features.minus(without), ..p };
        let offered = self.known(without).or_else(|| self.known(CpuSet::NONE).map(less));
        coverage::platforms_for(case).into_iter().chain(offered).collect()
    }

    fn known(&self, without: CpuSet) -> Option<Platform> {
        self.platforms.iter().find(|(w, _)| *w == without).map(|(_, platform)| *platform)
    }

    fn boot(&self, without: CpuSet, board: Board, batch: &Batch) -> Result<(Ram, Ended)> {
        let ram = batch.ram(without)?;
        let (end, took) = self.place.boot(without, board, &ram)?;
        self.spent.set(self.spent.get() + took);
        Ok((ram, end))
    }
}

impl<B: Boots> Executor for Booted<B> {
    fn platform(&mut self, without: CpuSet) -> Result<Platform> {
        if let Some(found) = self.known(without) {
            return Ok(found);
        }
        let (ram, end) = self.boot(without, Board::Small, &Batch::default())?;
        if end != Ended::ByGuest {
            return Err(no_start(without, &end));
        }
        check_header(&ram)?;
        check_state(&ram)?;
        let platform = read_platform(&ram)?;
        self.platforms.push((without, platform));
        Ok(platform)
    }

    fn run(
        &mut self,
        cases: &[&Case],
        emit: &mut dyn FnMut(usize, Ran) -> Result<()>,
    ) -> Result<()> {
        let all = self.platform(CpuSet::NONE)?.features;
        let mut machines: BTreeMap<Wanted, Vec<usize>> = BTreeMap::new();
        for (n, case) in cases.iter().enumerate() {
            machines.entry(wanted(all, case)).or_default().push(n);
        }
        for (wanted, mut queue) in machines {
            // One that has not been booted says what it offers behind its first cases.
            let offered = self.known(wanted.0).map_or(all.minus(wanted.0), |p| p.features);
            for n in queue.extract_if(.., |n| !offered.includes(cases[*n].cpu.needs)) {
                emit(n, Ran::Skipped(cases[n].cpu.needs.minus(offered)))?;
            }
            let mut rest = &queue[..];
            while !rest.is_empty() {
                rest = &rest[self.run_some(wanted, cases, rest, emit)?..];
            }
        }
        Ok(())
    }
}

/// Runs one case alone, in a way of the caller's: `boot` gets the RAM that it
/// lies in, for a CPU without those features, and gives back RAM in which it has
/// ended, or `None`, which is handed on.
///
/// # Errors
/// As [`Executor::run`], and what `boot` gives.
pub fn alone(
    case: &Case,
    without: CpuSet,
    boot: impl FnOnce(Ram) -> Result<Option<(Ram, Ended)>>,
) -> Result<Option<Ran>> {
    let mut batch = Batch::default();
    batch.add(case, &coverage::platforms_for(case))?;
    let Some((ram, end)) = boot(batch.ram(without)?)? else { return Ok(None) };
    Ok(read_back(&ram, end, &batch)?.into_iter().next())
}

fn no_start(without: CpuSet, end: &Ended) -> Error {
    let cpu = cpu_argument(without);
    let (kind, why) = match end {
        // It said why: a processor or an accelerator that it does not have, say.
        Ended::Otherwise(end @ End::Crashed(Crash::Qemu(_))) => (Kind::Setup, end.to_string()),
        Ended::Otherwise(end) => (Kind::Harness, end.to_string()),
        Ended::ByGuest => (Kind::Harness, "it gave up before it said anything".to_owned()),
    };
    Error::new(kind, format!("the conformance guest does not come up on {cpu}: {why}"))
}

#[cfg(test)]
mod tests {
    use svm_model::Feature;
    use svm_model::case::{Draft, Insn, world};
    use svm_model::cpu::CpuFeature;
    use svm_model::model;
    use svm_model::vmcb::Field;

    use super::*;

    struct Nowhere;

    impl Boots for Nowhere {
        fn boot(&self, _: CpuSet, _: Board, _: &Ram) -> Result<(Ended, Duration)> {
            unreachable!("nothing runs")
        }
    }

    #[test]
    fn what_a_case_writes_on_its_cpu_is_known_whatever_that_offers() {
        // With one of the two features L2 pushes for a #UD; with both or none it does not.
        let case = Draft::new(Feature::Intercepts, "x/push")
            .program(&[Insn::Mov(1, 0), Insn::Rdpru])
            .set(Field::CR4, 0x1020)
            .done();
        let pushes = |platform: &Platform| {
            model::footprint(&case, platform).writes.contains(&(world::L2_STACK - 8))
        };
        let mut booted = Booted::new(Nowhere);
        assert!(!booted.likely(CpuSet::NONE, &case).iter().any(pushes));
        let rdpru = CpuSet::of(&[CpuFeature::Rdpru]);
        booted.platforms.push((CpuSet::NONE, coverage::FULL));
        assert!(booted.likely(rdpru, &case).iter().any(pushes), "by what the others offer");
        let features = coverage::FULL.features.minus(rdpru);
        let without = CpuSet::of(&[CpuFeature::Gmet]);
        booted.platforms.push((without, Platform { features, ..coverage::FULL }));
        assert!(booted.likely(without, &case).iter().any(pushes), "by what it says itself");
    }
}
