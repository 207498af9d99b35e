//! The rules as a suite: one test a rule, which passes where no generated case
//! that goes through it differs because of it.
//!
//! So coverage and the matrix of rules by build are part of every report.

use std::collections::HashMap;
use std::time::Duration;

use sha2::{Digest, Sha256};
use svm_model::case::Case;
use svm_model::cases::{self, SEED};
use svm_model::compare::describe;
use svm_model::model;
use svm_model::outcome::{Obs, Outcome};
use svm_model::rules;
use svm_model::snapshot::Slot;

use crate::catalogue;
use crate::exec::boot::Machine;
use crate::exec::guest::Guest;
use crate::exec::name::Name;
use crate::exec::{Booted, LIMIT};
use crate::host::cache;
use crate::host::error::Context;
use crate::qemu::Qemu;
use crate::rule_check::judge::{Judged, judge, tally};
use crate::rule_check::{Side, alone, group, text};
use crate::suites::{
    Config, Job, Observation, Opened, Options, Planned, Suite, SuiteIdentity, Work, in_guest,
};
use crate::{Kind, Result, Verdict};

/// The suite's name, and that of its one configuration.
pub const NAME: &str = "rules";

/// No run of all cases takes that long.
const TIMEOUT: Duration = Duration::from_secs(1200);

struct Rules {
    identity: SuiteIdentity,
    guest: Guest,
    limit: Duration,
    cases: Vec<Case>,
    digest: String,
}

/// Builds the guest and generates the cases.
///
/// # Errors
/// Build, when the guest does not compile; set-up, when the suite is required
/// and the checkout has no guest.
pub fn open(options: &Options) -> Result<Opened> {
    let guest = match in_guest::build(options, NAME)? {
        Ok(guest) => guest,
        Err(absent) => return Ok(Opened::Absent(absent)),
    };
    let cases = cases::all(SEED);
    let digest = digest(&guest, &cases)?;
    let version = format!("{} rules, {} cases, {}", rules::COUNT, cases.len(), &digest[..16]);
    let identity = SuiteIdentity { name: NAME.into(), version };
    let limit = options.timeout.unwrap_or(LIMIT);
    Ok(Opened::Ready(Box::new(Rules { identity, guest, limit, cases, digest })))
}

/// Of everything that the verdicts depend on, the QEMU apart.
fn digest(guest: &Guest, cases: &[Case]) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(&guest.digest);
    for case in cases {
        let text = serde_json::to_vec(case)
            .doing(Kind::Harness, || format!("writing case {} as JSON", case.id))?;
        hash.update(text);
        add(&mut hash, &model::run(case, &catalogue::assumed(case)));
    }
    Ok(format!("{:x}", hash.finalize()))
}

fn add(hash: &mut Sha256, outcome: &Outcome) {
    for obs in &outcome.obs {
        hash.update(describe(obs));
        if let Obs::Exit(exit) = obs {
            let vmcb = exit.vmcb.iter().map(|(slot, value)| (slot.slot(), value));
            let host = exit.host.iter().map(|(slot, value)| (slot.slot(), value));
            for (slot, value) in vmcb.chain(host) {
                hash.update([slot as u8]);
                hash.update(value.to_le_bytes());
            }
            hash.update(format!("{:?}", exit.l2_log));
        }
    }
}

impl Suite for Rules {
    fn identity(&self) -> &SuiteIdentity {
        &self.identity
    }

    fn configs(&self) -> Vec<Config> {
        vec![in_guest::config(NAME, "")]
    }

    fn plan(&self) -> Vec<Job> {
        let planned = rules::all()
            .map(|(_, rule)| Planned { test: rule.id.into(), feature: Some(rule.feature) });
        vec![Job::new(NAME, planned.collect(), TIMEOUT, Vec::new(), self.digest.clone())]
    }

    fn check(&self, qemu: &Qemu) -> Result<()> {
        crate::suites::conformance::check_device(qemu, NAME)
    }

    fn run(&self, work: &Work<'_>, emit: &mut dyn FnMut(Observation) -> Result<()>) -> Result<()> {
        let machine = Machine::new(work.qemu, self.guest.clone());
        let mut executor = Booted::new(Machine { limit: self.limit, ..machine });
        let all: Vec<&Case> = self.cases.iter().collect();
        let mut judged = judge(&mut executor, &all)?;
        let behind = alone::confirm(&mut executor, &mut judged, &self.cases)?;
        let groups = group(&judged, &self.cases);
        let on = Name::Binary(work.qemu.path.clone());
        let side = Side { name: work.qemu.build.name.clone(), on, judged, groups, behind };
        if let Some(dir) = work.log.parent() {
            std::fs::create_dir_all(dir)
                .doing(Kind::Harness, || format!("creating {}", dir.display()))?;
        }
        cache::write_atomic(work.log, text::side(&side, &self.cases, &|_| None).as_bytes())?;
        let places: HashMap<&str, _> = rules::all().map(|(id, rule)| (rule.id, id)).collect();
        for planned in work.pending {
            if let Some(&rule) = places.get(planned.test.as_str()) {
                emit(observation(&planned.test, &side.judged, &self.cases, rule))?;
            }
        }
        Ok(())
    }
}

/// What a rule came to.
fn observation(test: &str, judged: &Judged, cases: &[Case], rule: rules::RuleId) -> Observation {
    let count = tally(judged, rule);
    if count.reached == 0 {
        return Observation::bare(
            test,
            Verdict::Skip,
            "no case that this CPU runs goes through it",
        );
    }
    let first = judged.findings.iter().find(|f| f.blame.rule == Some(rule));
    Observation {
        passed: count.reached.saturating_sub(count.broken),
        failed: count.broken,
        first_failure: first.map(|f| {
            let citation = rule.rule().citation();
            format!("{}: {}; {citation}", cases[f.case].id, text::line(f))
        }),
        ..Observation::bare(test, if first.is_some() { Verdict::Fail } else { Verdict::Pass }, "")
    }
}
