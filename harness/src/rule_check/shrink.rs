//! Making a case that differs smaller while it still differs in the same way.

use svm_model::case::{Case, Step, world};
use svm_model::compare::What;
use svm_model::rules::RuleId;
use svm_model::vmcb::Field;

use super::judge::{Finding, Judged};
use crate::Result;

/// Rounds of one case; each makes it smaller by a step at least.
const ROUNDS: usize = 24;

/// What must stay as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sort {
    rule: Option<RuleId>,
    what: What,
    fatal: bool,
}

fn sort(finding: &Finding) -> Sort {
    let fatal = finding.ended.is_some();
    Sort { rule: finding.blame.rule, what: finding.differences[0].what, fatal }
}

/// A small case and how it differs.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The case, under the id of the one that it was made from.
    pub case: Case,
    /// How it differs; its `case` is no place in any list.
    pub finding: Finding,
}

/// Makes each case smaller, all of them side by side, so that a round costs one
/// boot and not one each.
///
/// # Errors
/// As `judge`.
pub fn shrink(
    found: Vec<Shrunk>,
    judge: &mut dyn FnMut(&[&Case]) -> Result<Judged>,
) -> Result<Vec<Shrunk>> {
    let mut best = found;
    let mut open: Vec<usize> = (0..best.len()).collect();
    for _ in 0..ROUNDS {
        let tries: Vec<(usize, Case)> = open
            .iter()
            .flat_map(|&n| smaller(&best[n].case).into_iter().map(move |c| (n, c)))
            .collect();
        if tries.is_empty() {
            break;
        }
        let cases: Vec<&Case> = tries.iter().map(|(_, case)| case).collect();
        let judged = judge(&cases)?;
        open.clear();
        for finding in judged.findings {
            let (n, case) = &tries[finding.case];
            let same = sort(&finding) == sort(&best[*n].finding);
            // The first that is smaller wins; the tries are in order of what they leave out.
            if same && open.last() != Some(n) {
                open.push(*n);
                best[*n] = Shrunk { case: case.clone(), finding };
            }
        }
        if open.is_empty() {
            break;
        }
    }
    Ok(best)
}

/// Cases that are a little smaller, those first that leave out most.
fn smaller(case: &Case) -> Vec<Case> {
    let mut out = Vec::new();
    let halves = |len: usize| {
        let half = len / 2;
        (half > 1).then_some([(0, half), (half, len)]).into_iter().flatten()
    };
    for (from, to) in halves(case.steps.len()) {
        out.push(with(case, |c| drop(c.steps.drain(from..to))));
    }
    for (from, to) in halves(case.program.len()) {
        out.push(with(case, |c| drop(c.program.drain(from..to))));
    }
    for n in (0..case.steps.len()).rev() {
        out.push(with(case, |c| drop(c.steps.remove(n))));
    }
    for n in (0..case.program.len()).rev() {
        out.push(with(case, |c| drop(c.program.remove(n))));
    }
    for feature in case.cpu.without.iter() {
        let less = case.cpu.without.minus(svm_model::cpu::CpuSet::of(&[feature]));
        out.push(with(case, |c| c.cpu.without = less));
    }
    for n in 0..case.steps.len() {
        if let Step::Vmcb(field, value) = case.steps[n] {
            let base = baseline(field);
            let odd = (0..64).map(|b| 1u64 << b).filter(|b| (value ^ base) & b != 0);
            // One bit nearer to the baseline; where only one differs, the step itself would go.
            let bits: Vec<u64> = odd.collect();
            if bits.len() > 1 {
                out.extend(
                    bits.iter()
                        .map(|bit| with(case, |c| c.steps[n] = Step::Vmcb(field, value ^ bit))),
                );
            }
        }
    }
    out
}

fn with(case: &Case, change: impl FnOnce(&mut Case)) -> Case {
    let mut case = case.clone();
    change(&mut case);
    case
}

fn baseline(field: Field) -> u64 {
    world::BASELINE.iter().find(|(f, _)| *f == field).map_or(0, |(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use svm_model::case::{Cpu, Insn};
    use svm_model::coverage::FULL;
    use svm_model::model;
    use svm_model::outcome::Obs;
    use svm_model::{Feature, compare};

    use super::*;
    use crate::rule_check::blame::Blame;

    /// As if the executor took every HLT for an exit with code 0.
    fn fake(cases: &[&Case]) -> Result<Judged> {
        let mut judged = Judged::default();
        for (n, case) in cases.iter().enumerate() {
            let expected = model::run(case, &FULL);
            let mut observed = expected.clone();
            if case.program.contains(&Insn::Hlt)
                && let Some(Obs::Exit(exit)) = observed.obs.last_mut()
            {
                exit.vmcb.set(Field::EXITCODE, 0);
            }
            let differences = compare(&expected, &observed);
            if !differences.is_empty() {
                judged.findings.push(Finding {
                    case: n,
                    platform: FULL,
                    expected,
                    observed,
                    ended: None,
                    differences,
                    blame: Blame::default(),
                });
            }
        }
        Ok(judged)
    }

    #[test]
    fn only_what_the_difference_needs_is_left() {
        let case = Case {
            id: "x/y".into(),
            feature: Feature::Intercepts,
            cpu: Cpu::default(),
            program: vec![Insn::Nop, Insn::Hlt, Insn::Cpuid, Insn::Nop],
            steps: vec![
                Step::Vmcb(Field::INTERCEPT_MISC1, 1 << 31 | 1 << 24 | 1 << 18),
                Step::Vmcb(Field::RFLAGS, 0x202),
                Step::Vmrun(world::VMCB),
            ],
        };
        let finding = fake(&[&case]).unwrap().findings.remove(0);
        let shrunk = shrink(vec![Shrunk { case, finding }], &mut fake).unwrap().remove(0);
        assert_eq!(shrunk.case.program, [Insn::Hlt]);
        assert_eq!(
            shrunk.case.steps,
            [Step::Vmcb(Field::INTERCEPT_MISC1, 1 << 31 | 1 << 24), Step::Vmrun(world::VMCB)]
        );
    }
}
