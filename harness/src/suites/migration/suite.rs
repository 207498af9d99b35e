//! The migration suite, as the harness runs suites.

use std::collections::HashMap;
use std::time::Duration;

use svm_model::model;

use super::cases::{self, Move};
use super::journey::Journeys;
use crate::catalogue;
use crate::exec::LIMIT;
use crate::exec::boot::Machine;
use crate::exec::guest::Guest;
use crate::host::error::Context;
use crate::host::hash;
use crate::qemu::Qemu;
use crate::suites::conformance;
use crate::suites::{
    Config, Job, Observation, Opened, Options, Planned, Suite, SuiteIdentity, Work, in_guest,
};
use crate::{Kind, Result, Verdict};

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
    let guest = match in_guest::build(options, NAME)? {
        Ok(guest) => guest,
        Err(absent) => return Ok(Opened::Absent(absent)),
    };
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
        let config = |route: Route| in_guest::config(route.name(), " -incoming file:state");
        Route::ALL.into_iter().map(config).collect()
    }

    fn plan(&self) -> Vec<Job> {
        let alone = (Verdict::Skip, "it takes both QEMUs, stock and patched".to_owned());
        let jobs = Route::ALL.into_iter().flat_map(|route| {
            let stock = self.stock.as_ref().filter(|_| route != Route::Within);
            let decided = (route != Route::Within && stock.is_none()).then(|| alone.clone());
            let other = stock.map_or("", |qemu| &qemu.digest);
            self.moves.chunks(CASES_A_JOB).map(move |moves| {
                let planned =
                    |m: &Move| Planned { test: m.case.id.clone(), feature: Some(m.case.feature) };
                let tests = moves.iter().map(planned).collect();
                let timeout = self.limit * moves.len() as u32;
                let fingerprint = digest(&self.guest, moves, other).unwrap_or_default();
                let job = Job::new(route.name(), tests, timeout, Vec::new(), fingerprint);
                Job { decided: decided.clone(), ..job }
            })
        });
        jobs.collect()
    }

    fn check(&self, qemu: &Qemu) -> Result<()> {
        conformance::check_device(qemu, NAME)
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
        if from.digest == to.digest && work.job.config != Route::Within.name() {
            let skip = |m: &&Move| Observation::bare(&m.case.id, Verdict::Skip, "it is stock");
            return moves.iter().map(skip).try_for_each(emit);
        }
        Journeys::new(machine(from), machine(to))?.run(&moves, &mut log, emit)?;
        conformance::write_log(work, &log)
    }
}
