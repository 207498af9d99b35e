//! Telling a difference of a case's own from one that a case before it has left behind.

use svm_model::case::Case;

use super::judge::{Judged, judge};
use crate::Result;
use crate::exec::Executor;

/// More findings than that have a reason of their own.
const FEW: usize = 64;

/// A case that differs only behind others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// Its place in the list.
    pub case: usize,
    /// The places of those before it that it takes, as few as were found.
    pub before: Vec<usize>,
}

/// Runs each case that differs again, alone, and takes those out of `judged` that then agree.
///
/// # Errors
/// As [`judge`].
pub fn confirm(
    executor: &mut dyn Executor,
    judged: &mut Judged,
    cases: &[Case],
) -> Result<Vec<Behind>> {
    if judged.findings.len() > FEW {
        return Ok(Vec::new());
    }
    let mut behind = Vec::new();
    for finding in std::mem::take(&mut judged.findings) {
        let place = finding.case;
        if differs(executor, &[&cases[place]])? {
            judged.findings.push(finding);
        } else {
            if let Some(rule) = finding.blame.rule {
                judged.tallies[rule.index()].broken -= 1;
            }
            behind.push(Behind { case: place, before: before(executor, cases, place)? });
        }
    }
    Ok(behind)
}

/// Whether the last of these cases differs, when they run in one boot.
fn differs(executor: &mut dyn Executor, cases: &[&Case]) -> Result<bool> {
    Ok(judge(executor, cases)?.findings.iter().any(|f| f.case + 1 == cases.len()))
}

/// The fewest cases before that one which make it differ, found by halves.
fn before(executor: &mut dyn Executor, cases: &[Case], place: usize) -> Result<Vec<usize>> {
    let same = |n: &usize| cases[*n].cpu == cases[place].cpu;
    let mut rest: Vec<usize> = (0..place).filter(same).collect();
    while rest.len() > 1 {
        let second = rest.split_off(rest.len() / 2);
        let mut enough = |half: &[usize]| {
            let run: Vec<&Case> = half.iter().chain([&place]).map(|n| &cases[*n]).collect();
            differs(executor, &run)
        };
        if enough(&second)? {
            rest = second;
        } else if !enough(&rest)? {
            rest.extend(second);
            break;
        }
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use svm_model::case::{Draft, Insn};
    use svm_model::cpu::{CpuSet, Platform};
    use svm_model::outcome::Outcome;
    use svm_model::{Feature, coverage, model};

    use super::*;
    use crate::exec::Ran;

    /// An executor on which a case with HLT spoils every case with CPUID that comes after it in
    /// the same run, and in which CLTS is always wrong.
    struct Leaky;

    impl Executor for Leaky {
        fn platform(&mut self, _: CpuSet) -> Result<Platform> {
            Ok(coverage::FULL)
        }

        fn run(
            &mut self,
            cases: &[&Case],
            emit: &mut dyn FnMut(usize, Ran) -> Result<()>,
        ) -> Result<()> {
            let mut spoilt = false;
            for (n, case) in cases.iter().enumerate() {
                let has = |insn| case.program.contains(&insn);
                let wrong = has(Insn::Clts) || spoilt && has(Insn::Cpuid);
                spoilt |= has(Insn::Hlt);
                let right = model::run(case, &coverage::FULL);
                emit(n, Ran::Outcome(if wrong { Outcome::default() } else { right }))?;
            }
            Ok(())
        }
    }

    #[test]
    fn what_a_case_leaves_behind_is_told_from_what_another_does() {
        let insns = [Insn::Nop, Insn::Hlt, Insn::Clts, Insn::Pause, Insn::Cpuid, Insn::Cpuid];
        let case = |insn: Insn| Draft::new(Feature::Intercepts, "x/y").program(&[insn]).done();
        let cases: Vec<Case> = insns.into_iter().map(case).collect();
        let all: Vec<&Case> = cases.iter().collect();
        let mut judged = judge(&mut Leaky, &all).unwrap();
        assert_eq!(judged.findings.len(), 3);
        let behind = confirm(&mut Leaky, &mut judged, &cases).unwrap();
        assert_eq!(judged.findings.iter().map(|f| f.case).collect::<Vec<_>>(), [2]);
        let wanted = [4, 5].map(|case| Behind { case, before: vec![1] });
        assert_eq!(behind, wanted);
    }
}
