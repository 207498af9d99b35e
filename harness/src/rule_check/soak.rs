//! New seeds until time is up: the model against executors on cases that nobody has seen.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use svm_model::case::Case;
use svm_model::cases::crossed::{self, Pool};
use svm_model::cases::random;
use svm_model::rules::RuleId;

use super::{Group, Side, run};
use crate::exec::place::Place;
use crate::host::console::{Console, Verbosity};
use crate::host::interrupt;
use crate::{Kind, Result};

/// How long, and of what.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Stop behind the round that runs then.
    pub time: Duration,
    /// Executors side by side.
    pub jobs: usize,
    /// The first seed; each round takes the next.
    pub seed: u64,
    /// Cases of a round.
    pub cases: usize,
}

/// What was run, and what differs.
#[derive(Debug, Default)]
pub struct Soaked {
    /// Rounds, which are seeds, from the first on.
    pub rounds: u64,
    /// Cases that ran.
    pub cases: usize,
    /// Cases that differ.
    pub differ: usize,
    /// Cases that differ only behind others.
    pub behind: usize,
    /// A group for each rule, with an example made small; the first that was found.
    pub groups: BTreeMap<Option<RuleId>, Group>,
    /// How often each mode and each instruction was drawn.
    pub drawn: BTreeMap<String, u64>,
}

/// Runs until time is up or the user wants no more.
///
/// # Errors
/// What `open` gives, and as [`run`]; what was found before is lost with it.
pub fn soak(
    console: &Console,
    request: &Request,
    open: &(dyn Fn() -> Result<Place> + Sync),
) -> Result<Soaked> {
    let (begun, shared) = (Instant::now(), Mutex::new((Soaked::default(), 0)));
    let pool = Pool::default();
    // A line a round is enough.
    let quiet = Console::new(Verbosity::Quiet);
    let worker = || -> Result<()> {
        let mut place = open()?;
        let title = place.title();
        while begun.elapsed() < request.time && !interrupt::requested() {
            let round = {
                let mut shared = shared.lock().expect("no worker panics");
                shared.1 += 1;
                shared.1 - 1
            };
            let cases = cases(&pool, request.seed.wrapping_add(round), request.cases);
            let side = match run(&title, &mut *place.executor, &cases, true, &quiet) {
                Err(e) if e.kind() == Kind::Interrupted => break,
                side => side?,
            };
            let soaked = &mut shared.lock().expect("no worker panics").0;
            soaked.take(side, &cases);
            console.note(soaked.line(begun.elapsed()));
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..request.jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|w| w.join().expect("a worker does not panic"))
    })?;
    Ok(shared.into_inner().expect("no worker panics").0)
}

/// One part of a round's cases in five is random walks, the rest is crossed.
fn cases(pool: &Pool, seed: u64, count: usize) -> Vec<Case> {
    let walks = random::walks(seed, count / 5);
    walks.into_iter().chain(pool.cases(seed, count - count / 5)).collect()
}

impl Soaked {
    fn take(&mut self, side: Side, cases: &[Case]) {
        self.rounds += 1;
        self.cases += side.judged.ran;
        self.differ += side.judged.findings.len();
        self.behind += side.behind.len();
        for group in side.groups {
            self.groups
                .entry(group.rule)
                .and_modify(|g| g.findings.extend(&group.findings))
                .or_insert(group);
        }
        for case in cases {
            *self.drawn.entry(format!("mode: {}", crossed::mode(case))).or_default() += 1;
            for insn in &case.program {
                let text = format!("{insn:?}");
                let name = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                *self.drawn.entry(name.to_owned()).or_default() += 1;
            }
        }
    }

    /// One line of progress.
    fn line(&self, took: Duration) -> String {
        let rate = self.cases as f64 / took.as_secs_f64().max(0.001);
        format!(
            "{} s: {} seeds, {} cases, {rate:.0} cases/s; {} differ by {} rules",
            took.as_secs(),
            self.rounds,
            self.cases,
            self.differ,
            self.groups.len()
        )
    }
}
