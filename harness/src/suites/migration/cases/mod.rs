//! Cases that travel, and the marks at which they leave.
//!
//! Each is about one part of SVM's state: set up before the mark, and decisive
//! behind it. What must come of a case, the model says. A new case is one entry
//! in the file of its subject.

mod events;
mod features;
mod machine;

use svm_model::Feature;
use svm_model::case::{Case, Draft, Step, world};

use super::travel::Mark;

/// The word whose writing is the mark of cases that travel while L1 runs.
const MARK: u64 = world::DATA + 0x1f_f000;
/// The world's stubs are that far apart.
const STUB: u64 = 32;

/// A case and where it leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The case.
    pub case: Case,
    /// Where it leaves.
    pub mark: Mark,
}

/// Every case.
pub fn all() -> Vec<Move> {
    [machine::cases(), events::cases(), features::cases()].concat()
}

/// A case by that name; the section is that of the feature's rules.
fn draft(id: &str, feature: Feature) -> Draft {
    Draft::new(feature, id)
}

/// Leaves when L2 is about to execute the program's `n`th instruction.
fn at(n: usize, draft: Draft) -> Move {
    let mark = Mark::Instruction(draft.rip(n));
    Move { case: draft.case(), mark }
}

/// Leaves when L2 begins to handle that vector.
fn in_handler(vector: u8, draft: Draft) -> Move {
    let mark = Mark::Instruction(world::L2_STUBS + u64::from(vector) * STUB);
    Move { case: draft.case(), mark }
}

/// Leaves in L1, at the step [`mark`].
fn in_l1(draft: Draft) -> Move {
    Move { case: draft.case(), mark: Mark::Write(MARK) }
}

/// The step at which a case of [`in_l1`] leaves.
fn mark(draft: Draft) -> Draft {
    draft.step(Step::Mem { pa: MARK, width: 8, value: 1 })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_each_case_has_its_mark() {
        let all = all();
        let ids: BTreeSet<&str> = all.iter().map(|m| m.case.id.as_str()).collect();
        assert_eq!(ids.len(), all.len());
        for Move { case, mark } in &all {
            let marks = case.steps.iter().filter(|s| matches!(s, Step::Mem { pa: MARK, .. }));
            assert_eq!(marks.count(), usize::from(*mark == Mark::Write(MARK)), "{}", case.id);
            assert!(
                case.steps.iter().any(|s| matches!(s, Step::Vmrun(_)))
                    || *mark == Mark::Write(MARK),
                "{} has no L2 to leave from",
                case.id
            );
        }
    }
}
