//! Cases from one QEMU to another, and what is to be said of what came of them.

use std::fmt::Write;

use svm_model::case::Case;
use svm_model::compare;
use svm_model::compare::Difference;
use svm_model::cpu::{CpuSet, Platform};
use svm_model::model;
use svm_model::outcome::Outcome;

use super::cases::Move;
use super::travel::{Station, Trip, travel};
use crate::exec::boot::Machine;
use crate::exec::ran::lacks;
use crate::exec::render;
use crate::exec::{Booted, Executor, Ran, alone, cpu_argument, platform_of};
use crate::suites::Observation;
use crate::suites::ended::without_outcome;
use crate::{Result, Verdict};

/// Two QEMUs, or one twice, and the CPU that both can be.
pub(super) struct Journeys {
    from: (Machine, Platform),
    to: (Machine, Platform),
    /// What one of them has and the other has not.
    apart: CpuSet,
    still: Booted<Machine>,
}

impl Journeys {
    /// Boots both, to see what CPUs they offer.
    ///
    /// # Errors
    /// As [`Executor::run`].
    pub(super) fn new(from: Machine, to: Machine) -> Result<Journeys> {
        let mut still = Booted::new(from.clone());
        let here = still.platform(CpuSet::NONE)?;
        let there = match from.qemu == to.qemu {
            true => here,
            false => Booted::new(to.clone()).platform(CpuSet::NONE)?,
        };
        let (a, b) = (here.features, there.features);
        let apart = a.minus(b).union(b.minus(a));
        Ok(Journeys { from: (from, here), to: (to, there), apart, still })
    }

    /// Runs each where it starts, then takes each along, and emits what is seen.
    ///
    /// # Errors
    /// As [`Executor::run`], and what `emit` gives.
    pub(super) fn run(
        &mut self,
        moves: &[&Move],
        log: &mut String,
        emit: &mut dyn FnMut(Observation) -> Result<()>,
    ) -> Result<()> {
        let cases: Vec<Case> = moves.iter().map(|m| self.shared(&m.case)).collect();
        let mut still: Vec<Option<Ran>> = vec![None; cases.len()];
        let borrowed: Vec<&Case> = cases.iter().collect();
        self.still.run(&borrowed, &mut |n, ran| {
            still[n] = Some(ran);
            Ok(())
        })?;
        for ((case, still), one) in cases.iter().zip(still).zip(moves) {
            let seen = self.one(case, one, still.as_ref(), log)?;
            let why = seen.first_failure.as_deref().unwrap_or("");
            let _ = writeln!(log, "{}: {} {why}", case.id, seen.verdict);
            emit(seen)?;
        }
        Ok(())
    }

    /// The case on a CPU that both can be.
    fn shared(&self, case: &Case) -> Case {
        let mut case = case.clone();
        case.cpu.without = case.cpu.without.union(self.apart);
        case
    }

    fn one(
        &self,
        case: &Case,
        Move { mark, .. }: &Move,
        still: Option<&Ran>,
        log: &mut String,
    ) -> Result<Observation> {
        let missing = case.cpu.needs.minus(self.to.1.features.minus(case.cpu.without));
        if missing != CpuSet::NONE {
            return Ok(Observation::bare(&case.id, Verdict::Skip, lacks(missing)));
        }
        let (from, to) = (station(&self.from, case), station(&self.to, case));
        let mut stayed = String::from("nothing came of it");
        let moved = alone(case, case.cpu.without, |ram| {
            Ok(match travel(&from, &to, *mark, ram)? {
                Trip::Through(ram, ended) => Some((ram, ended)),
                Trip::Stayed(why) => {
                    stayed = why;
                    None
                }
            })
        })?;
        let within = self.from.0.qemu == self.to.0.qemu;
        Ok(match moved {
            Some(moved) if within => judge(case, &[unmoved(still)], &moved, log),
            Some(moved) => {
                let said = (model::run(case, &platform_of(&self.to.1, case)), "the model");
                judge(case, &[Some(said), unmoved(still)], &moved, log)
            }
            None if within => {
                Observation { failed: 1, ..Observation::bare(&case.id, Verdict::Fail, stayed) }
            }
            // The QEMU under test has not seen it.
            None => Observation::bare(&case.id, Verdict::Skip, stayed),
        })
    }
}

/// The QEMU with the CPU that the case wants; what it has not need not be, and
/// for all we know cannot be, switched off.
fn station((machine, platform): &(Machine, Platform), case: &Case) -> Station {
    let has = platform.features;
    let without = has.minus(has.minus(case.cpu.without));
    Station { machine: machine.clone(), cpu: cpu_argument(without) }
}

/// What comes of a case, and who says so.
type Said = (Outcome, &'static str);

/// The outcome without the journey, if there is one.
fn unmoved(still: Option<&Ran>) -> Option<Said> {
    match still {
        Some(Ran::Outcome(still)) => Some((still.clone(), "the same case without the journey")),
        _ => None,
    }
}

/// What a case came to that did travel.
///
/// Each thing observed must be as one of those says. Within one QEMU that is the
/// case without the journey: what it does is for the conformance suite to judge.
/// From an older QEMU it is the model, or that QEMU, which may have done wrong
/// before the mark.
fn judge(case: &Case, said: &[Option<Said>], moved: &Ran, log: &mut String) -> Observation {
    let id = case.id.as_str();
    if let Some(seen) = without_outcome(id, moved) {
        return seen;
    }
    let moved = moved.seen();
    let said: Vec<&Said> = said.iter().flatten().collect();
    let Some((reference, who)) = said.first() else {
        let why = "without the journey, it does not end";
        return Observation { failed: 1, ..Observation::bare(id, Verdict::Fail, why) };
    };
    let differences = common(said.iter().map(|(outcome, _)| compare(outcome, &moved)));
    let Some(first) = differences.first() else {
        let pass = Observation::bare(id, Verdict::Pass, "");
        return Observation { passed: 1, first_failure: None, ..pass };
    };
    let _ = writeln!(log, "\n{id}:\n{}", render::side_by_side(reference, &moved, true));
    let why = format!("{first}; so says {who}");
    Observation { failed: differences.len() as u32, ..Observation::bare(id, Verdict::Fail, why) }
}

/// Those of the first comparison that differ in every other one, too.
fn common(comparisons: impl IntoIterator<Item = Vec<Difference>>) -> Vec<Difference> {
    let same = |a: &Difference, b: &Difference| (a.index, a.what) == (b.index, b.what);
    comparisons
        .into_iter()
        .reduce(|first, other| {
            first.into_iter().filter(|a| other.iter().any(|b| same(a, b))).collect()
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use svm_model::outcome::Obs;

    use super::*;

    fn outcome(values: &[u64]) -> Outcome {
        Outcome { obs: values.iter().map(|&v| Obs::Value(v)).collect() }
    }

    fn verdict(said: &[&[u64]], moved: &[u64]) -> (Verdict, u32) {
        let case = &super::super::cases::all()[0].case;
        let said: Vec<_> = said.iter().map(|v| Some((outcome(v), "x"))).collect();
        let seen = judge(case, &said, &Ran::Outcome(outcome(moved)), &mut String::new());
        (seen.verdict, seen.failed)
    }

    #[test]
    fn within_one_qemu_the_journey_makes_no_difference() {
        assert_eq!(verdict(&[&[1, 2]], &[1, 2]), (Verdict::Pass, 0));
        assert_eq!(verdict(&[&[1, 2]], &[3, 4]), (Verdict::Fail, 2));
        assert_eq!(verdict(&[], &[1]), (Verdict::Fail, 1));
    }

    #[test]
    fn from_an_older_one_each_value_is_right_or_as_it_was_there() {
        assert_eq!(verdict(&[&[1, 2], &[7, 8]], &[1, 8]), (Verdict::Pass, 0));
        assert_eq!(verdict(&[&[1, 2], &[7, 8]], &[9, 8]), (Verdict::Fail, 1));
        assert_eq!(verdict(&[&[1, 2], &[7, 8]], &[1]), (Verdict::Fail, 1));
    }
}
