//! The migration suite, as the harness runs suites.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

use svm_model::case::Case;
use svm_model::compare;
use svm_model::cpu::{CpuSet, Platform};
use svm_model::model;
use svm_model::outcome::Outcome;

use super::cases::{self, Move};
use super::travel::{Station, Trip, travel};
use crate::conformance::boot::Machine;
use crate::conformance::executor::{LIMIT, QemuExecutor, Ran, alone, cpu_argument};
use crate::conformance::guest::{self, Guest};
use crate::conformance::{catalogue, render, suite};
use crate::error::Context;
use crate::qemu::Qemu;
use crate::suite::{
    Absent, Config, Job, Observation, Opened, Options, Planned, Suite, SuiteIdentity, Work,
};
use crate::{Error, Kind, Result, Verdict, hash};

/// The suite's name.
pub const NAME: &str = "migration";

/// Cases that one job takes along.
const CASES_A_JOB: usize = 12;

/// From where to where. The QEMU under test is at one end, or at both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Within,
    FromStock,
}

impl Route {
    const ALL: [Route; 2] = [Route::Within, Route::FromStock];

    /// The configuration's name.
    fn name(self) -> &'static str {
        match self {
            Route::Within => "migration",
            Route::FromStock => "migration-from-stock",
        }
    }
}

/// The cases, and the guest that runs them.
#[derive(Debug)]
pub struct Migration {
    identity: SuiteIdentity,
    guest: Guest,
    limit: Duration,
    stock: Option<Qemu>,
    moves: Vec<Move>,
    /// Place in `moves` by the case's id.
    places: HashMap<String, usize>,
}

/// Builds the guest and collects the cases; it needs nothing but this repository.
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
    let guest = guest::build(&options.checkout)?;
    let moves = cases::all();
    let places = moves.iter().enumerate().map(|(n, m)| (m.case.id.clone(), n)).collect();
    let version = format!("{} cases, {}", moves.len(), &digest(&guest, &moves, "")?[..16]);
    let identity = SuiteIdentity { name: NAME.into(), version };
    let limit = options.timeout.unwrap_or(LIMIT);
    let stock = options.stock.clone();
    Ok(Opened::Ready(Box::new(Migration { identity, guest, limit, stock, moves, places })))
}

/// Of everything that the verdicts of `moves` depend on, the QEMU under test apart.
fn digest(guest: &Guest, moves: &[Move], other: &str) -> Result<String> {
    let mut parts = vec![guest.digest.clone(), other.to_owned()];
    for Move { case, mark } in moves {
        let expected = model::run(case, &catalogue::assumed(case));
        let text = serde_json::to_string(&(case, expected))
            .doing(Kind::Harness, || format!("writing case {} as JSON", case.id))?;
        parts.push(format!("{mark:?} {text}"));
    }
    Ok(hash::of_parts(parts.iter().map(String::as_str)))
}

impl Suite for Migration {
    fn identity(&self) -> &SuiteIdentity {
        &self.identity
    }

    fn configs(&self) -> Vec<Config> {
        let cpu = cpu_argument(CpuSet::NONE);
        let start = format!(
            "qemu-system-x86_64 -nodefaults -machine pc,accel=tcg,memory-backend=ram -cpu {cpu} -bios svm-guest.rom"
        );
        let config = |route: Route| Config {
            config: route.name().into(),
            cpu: cpu.clone(),
            command: format!("{start} -incoming file:state"),
        };
        Route::ALL.into_iter().map(config).collect()
    }

    fn plan(&self) -> Vec<Job> {
        let alone = (Verdict::Skip, "it takes both QEMUs, stock and patched".to_owned());
        let jobs = Route::ALL.into_iter().flat_map(|route| {
            let stock = self.stock.as_ref().filter(|_| route != Route::Within);
            let decided = (route != Route::Within && stock.is_none()).then(|| alone.clone());
            let other = stock.map_or("", |qemu| &qemu.digest);
            self.moves.chunks(CASES_A_JOB).map(move |moves| Job {
                config: route.name().into(),
                tests: moves
                    .iter()
                    .map(|m| Planned { test: m.case.id.clone(), feature: Some(m.case.feature) })
                    .collect(),
                timeout: self.limit * moves.len() as u32,
                args: Vec::new(),
                fingerprint: digest(&self.guest, moves, other).unwrap_or_default(),
                decided: decided.clone(),
            })
        });
        jobs.collect()
    }

    fn check(&self, qemu: &Qemu) -> Result<()> {
        suite::can_boot_guest(qemu, NAME)
    }

    fn run(&self, work: &Work<'_>, emit: &mut dyn FnMut(Observation) -> Result<()>) -> Result<()> {
        let machine = |qemu: &Qemu| Machine {
            qemu: qemu.path.clone(),
            accel: "tcg".into(),
            firmware: qemu.firmware.clone(),
            guest: self.guest.clone(),
            limit: self.limit,
        };
        let stock = self.stock.as_ref().unwrap_or(work.qemu);
        let (from, to) = match Route::ALL.into_iter().find(|r| r.name() == work.job.config) {
            Some(Route::FromStock) => (stock, work.qemu),
            _ => (work.qemu, work.qemu),
        };
        let wanted = |p: &&Planned| self.places.get(&p.test).map(|&n| &self.moves[n]);
        let moves: Vec<&Move> = work.pending.iter().filter_map(wanted).collect();
        let mut log = String::new();
        Journeys::new(machine(from), machine(to))?.run(&moves, &mut log, emit)?;
        suite::write_log(work, &log)
    }
}

/// Two QEMUs, and the CPU that both can be.
struct Journeys {
    from: (Machine, Platform),
    to: (Machine, Platform),
    /// What one of them has and the other has not.
    apart: CpuSet,
    still: QemuExecutor,
}

impl Journeys {
    fn new(from: Machine, to: Machine) -> Result<Journeys> {
        let mut still = QemuExecutor::new(to.clone());
        let there = still.platform(CpuSet::NONE)?;
        let here = match from.qemu == to.qemu {
            true => there,
            false => QemuExecutor::new(from.clone()).platform(CpuSet::NONE)?,
        };
        let (a, b) = (here.features, there.features);
        let apart = a.minus(b).union(b.minus(a));
        Ok(Journeys { from: (from, here), to: (to, there), apart, still })
    }

    fn run(
        &mut self,
        moves: &[&Move],
        log: &mut String,
        emit: &mut dyn FnMut(Observation) -> Result<()>,
    ) -> Result<()> {
        let shared = |case: &Case| {
            let mut case = case.clone();
            case.cpu.without = case.cpu.without.union(self.apart);
            case
        };
        let cases: Vec<Case> = moves.iter().map(|m| shared(&m.case)).collect();
        let mut still: Vec<Option<Ran>> = vec![None; cases.len()];
        let borrowed: Vec<&Case> = cases.iter().collect();
        if self.from.0.qemu == self.to.0.qemu {
            self.still.run(&borrowed, &mut |n, ran| {
                still[n] = Some(ran);
                Ok(())
            })?;
        }
        for ((case, still), Move { mark, .. }) in cases.iter().zip(still).zip(moves) {
            let missing = case.cpu.needs.minus(self.to.1.features.minus(case.cpu.without));
            if missing != CpuSet::NONE {
                let names: Vec<&str> = missing.iter().map(|f| f.name()).collect();
                let why = format!("the CPU lacks {}", names.join(", "));
                emit(Observation::bare(&case.id, Verdict::Skip, why))?;
                continue;
            }
            let (from, to) = (station(&self.from, case), station(&self.to, case));
            let mut stayed = None;
            let moved = alone(case, case.cpu.without, |ram| {
                Ok(match travel(&from, &to, *mark, ram)? {
                    Trip::Through(ram, ended) => Some((ram, ended)),
                    Trip::Stayed(why) => {
                        stayed = Some(why);
                        None
                    }
                })
            })?;
            let mut platform = self.to.1;
            platform.features = platform.features.minus(case.cpu.without);
            let expected = model::run(case, &platform);
            let seen = match (moved, stayed) {
                (Some(moved), _) => judge(case, &expected, still.as_ref(), moved, log),
                (None, why) => {
                    let why = why.unwrap_or_else(|| "nothing came of it".into());
                    Observation { failed: 1, ..Observation::bare(&case.id, Verdict::Fail, why) }
                }
            };
            let _ = writeln!(
                log,
                "{}: {} {}",
                case.id,
                seen.verdict,
                seen.first_failure.as_deref().unwrap_or("")
            );
            emit(seen)?;
        }
        Ok(())
    }
}

/// The QEMU with the CPU that the case wants; what it has not need not be, and
/// for all we know cannot be, switched off.
fn station((machine, platform): &(Machine, Platform), case: &Case) -> Station {
    let has = platform.features;
    let without = has.minus(has.minus(case.cpu.without));
    Station { machine: machine.clone(), cpu: cpu_argument(without) }
}

/// What a case came to that did travel.
fn judge(
    case: &Case,
    expected: &Outcome,
    still: Option<&Ran>,
    moved: Ran,
    log: &mut String,
) -> Observation {
    let id = case.id.as_str();
    match moved {
        Ran::Outcome(moved) => {
            // Within one QEMU nothing but the journey makes a difference, and what
            // it does is for the conformance suite to judge. From one QEMU to
            // another, the model says what must come of it.
            let (reference, whose) = match still {
                Some(Ran::Outcome(still)) => (still, "without the journey it is not so"),
                _ => (expected, "says the model"),
            };
            let differences = compare(reference, &moved);
            let Some(first) = differences.first() else {
                let pass = Observation::bare(id, Verdict::Pass, "");
                return Observation { passed: 1, first_failure: None, ..pass };
            };
            let _ = writeln!(log, "\n{id}:\n{}", render::side_by_side(reference, &moved));
            Observation {
                failed: differences.len() as u32,
                ..Observation::bare(id, Verdict::Fail, format!("{first}; {whose}"))
            }
        }
        Ran::Crashed(why, _) => Observation::bare(id, Verdict::Crash, why),
        Ran::TimedOut(why, _) => Observation::bare(id, Verdict::Timeout, why),
        Ran::Skipped(_) => Observation::bare(id, Verdict::Skip, "the CPU lacks what it needs"),
        Ran::Killed(signal) => {
            let why = format!("QEMU was killed by signal {signal} from outside");
            Observation { fleeting: true, ..Observation::bare(id, Verdict::Crash, why) }
        }
    }
}
