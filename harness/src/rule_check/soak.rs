//! New seeds until time is up: the model against executors on cases that nobody has seen.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use svm_model::case::Case;
use svm_model::cases::crossed::Pool;
use svm_model::cases::drawn::Drawn;
use svm_model::cases::random;
use svm_model::rules::RuleId;

use super::{Group, Side, alone, run, text};
use crate::exec::name::Name;
use crate::exec::place::Place;
use crate::host::console::{Console, Verbosity};
use crate::host::interrupt;
use crate::{Error, Kind, Result};

/// Runs of cases behind which others differ that are told.
const SHOWN: usize = 8;

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
    /// These in words, those of a round that differ behind the same cases together.
    pub told: Vec<String>,
    /// A group for each rule, with an example made small; the first that was found.
    pub groups: BTreeMap<Option<RuleId>, Group>,
    /// How often each mode, each instruction and all else was drawn.
    pub drawn: Drawn,
}

/// Runs until time is up or the user wants no more.
///
/// # Errors
/// What `open` gives, and as [`run`]; what was found before is lost with it. Interrupted, before a
/// round is through; nothing ran, where there was no time for one.
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
        loop {
            let round = {
                let mut shared = shared.lock().expect("no worker panics");
                shared.1 += 1;
                shared.1 - 1
            };
            // The first one always runs, whatever it took to get here.
            let first = round == 0 && !request.time.is_zero();
            if interrupt::requested() || !first && begun.elapsed() >= request.time {
                break;
            }
            let seed = request.seed.wrapping_add(round);
            let cases = cases(&pool, seed, request.cases);
            let side = match run(&mut place, &cases, true, &quiet) {
                Err(e) if e.kind() == Kind::Interrupted => break,
                side => side?,
            };
            let again = request.again(&place.name, seed);
            let soaked = &mut shared.lock().expect("no worker panics").0;
            soaked.take(side, &cases, &again);
            console.note(soaked.line(begun.elapsed()));
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..request.jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|w| w.join().expect("a worker does not panic"))
    })?;
    let soaked = shared.into_inner().expect("no worker panics").0;
    if soaked.rounds == 0 {
        interrupt::check()?;
        return Err(Error::new(Kind::NothingRan, "there was no time for a round")
            .hint("--minutes 1, or fewer --cases"));
    }
    Ok(soaked)
}

impl Request {
    /// The command that runs the round of that seed again.
    fn again(&self, on: &Name, seed: u64) -> String {
        let cases = self.cases;
        format!("cargo xtask soak --on {on} --seed {seed} --cases {cases} --jobs 1 --minutes 0.001")
    }
}

/// One part of a round's cases in five is random walks, the rest is crossed.
pub(super) fn cases(pool: &Pool, seed: u64, count: usize) -> Vec<Case> {
    let walks = random::walks(seed, count / 5);
    walks.into_iter().chain(pool.cases(seed, count - count / 5)).collect()
}

impl Soaked {
    fn take(&mut self, side: Side, cases: &[Case], again: &str) {
        self.rounds += 1;
        self.cases += side.judged.ran;
        self.differ += side.judged.findings.len();
        self.behind += side.behind.len();
        self.told.extend(alone::told(&side.behind, cases, &side.on, again));
        for group in side.groups {
            self.groups
                .entry(group.rule)
                .and_modify(|g| g.findings.extend(&group.findings))
                .or_insert(group);
        }
        cases.iter().for_each(|case| self.drawn.count(case));
    }

    /// Of its groups, those that `known` has no reason for.
    fn news<'a>(
        &'a self,
        known: &'a dyn Fn(RuleId) -> Option<String>,
    ) -> impl Iterator<Item = &'a Group> {
        self.groups.values().filter(move |g| g.rule.and_then(known).is_none())
    }

    /// Whether nothing differs but what `known` has a reason for.
    pub fn good(&self, known: &dyn Fn(RuleId) -> Option<String>) -> bool {
        self.news(known).next().is_none() && self.behind == 0
    }

    /// What was run, what differs, and the verdict.
    pub fn text(&self, title: &str, on: &Name, known: &dyn Fn(RuleId) -> Option<String>) -> String {
        let (cases, rounds, differ) = (self.cases, self.rounds, self.differ);
        let mut text = format!("{title}: {cases} cases of {rounds} seeds; {differ} differ");
        let _ = writeln!(text, ", {} only behind other cases", self.behind);
        for group in self.groups.values() {
            let _ = write!(text, "\n{}", text::group(group, on, known));
        }
        for one in self.told.iter().take(SHOWN) {
            let _ = write!(text, "\n{one}");
        }
        if self.told.len() > SHOWN {
            let _ = writeln!(text, "\nand behind {} others:", self.told.len() - SHOWN);
            // How each begins: its name, and behind how many.
            for one in &self.told[SHOWN..] {
                let _ = writeln!(text, "  {}", one.lines().next().unwrap_or_default());
            }
        }
        let rules = self.news(known).count();
        let news = format!("{rules} rules are broken that no known failure explains");
        let alike = format!("{} cases are not alike alone and behind others", self.behind);
        let verdict = match (rules, self.behind) {
            (0, 0) if self.groups.is_empty() => "AGREES with the model in every case".to_owned(),
            (0, 0) => format!("AGREES but for what is known: {} rules", self.groups.len()),
            (0, _) => format!("DIFFERS: {alike}"),
            (_, 0) => format!("DIFFERS: {news}"),
            _ => format!("DIFFERS: {news}, and {alike}"),
        };
        text + &format!("\n{verdict}\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn request(time: Duration) -> Request {
        Request { time, jobs: 1, seed: 7, cases: 40 }
    }

    #[test]
    fn a_round_of_the_model_agrees_and_without_time_nothing_ran() {
        let console = Console::new(Verbosity::Quiet);
        let open = || Ok(Place::model());
        let soaked = soak(&console, &request(Duration::from_millis(1)), &open).unwrap();
        assert!(soaked.rounds >= 1 && soaked.cases >= 40 && soaked.good(&|_| None));
        let said = soaked.text("model", &Name::Model, &|_| None);
        assert!(said.starts_with("model: ") && said.ends_with("in every case\n"), "{said}");
        let none = soak(&console, &request(Duration::ZERO), &open).unwrap_err();
        assert_eq!(none.kind(), Kind::NothingRan);
    }

    #[test]
    fn what_differs_behind_others_is_told_and_is_no_good_verdict() {
        let told = |n| format!("x/{n} differs only behind another case\n");
        let told: Vec<String> = (0..SHOWN + 2).map(told).collect();
        let soaked = Soaked { behind: told.len(), told: told.clone(), ..Soaked::default() };
        assert!(!soaked.good(&|_| None));
        let said = soaked.text("model", &Name::Model, &|_| None);
        assert_eq!(said.matches("behind another").count(), told.len(), "{said}");
        assert!(said.contains("\nand behind 2 others:\n  x/8 differs"), "{said}");
        assert!(said.ends_with("DIFFERS: 10 cases are not alike alone and behind others\n"));
        assert!(request(Duration::ZERO).again(&Name::Model, 9).contains("--on model --seed 9 "));
    }
}
