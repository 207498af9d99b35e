//! Which rules the cases reach, and which of them the cases would miss.
//!
//! Without an executor that sets one, a case is run on two processors: one
//! with every feature, and one with nothing but what the case needs.

use alloc::vec;
use alloc::vec::Vec;

use crate::case::Case;
use crate::compare::compare;
use crate::cpu::{CpuFeature, CpuSet, Platform};
use crate::model::{self, Trace};
use crate::rules::{self, Rule, RuleId, Sides};

/// A processor with every feature that the model knows.
pub const FULL: Platform =
    Platform { features: CpuSet::of(CpuFeature::ALL), phys_bits: 40, asids: 16 };

/// A processor with SVM and what a 64-bit host cannot do without.
pub const BARE: Platform =
    Platform { features: CpuSet::of(&[CpuFeature::Svm, CpuFeature::Nx]), phys_bits: 40, asids: 16 };

/// What the case's executor would offer of a processor: `None` where the case
/// needs more.
pub fn platform_for(case: &Case, base: &Platform) -> Option<Platform> {
    let features = base.features.minus(case.cpu.without);
    features.includes(case.cpu.needs).then_some(Platform { features, ..*base })
}

/// The processors of this module that a case can run on.
pub fn platforms_for(case: &Case) -> Vec<Platform> {
    let with_needs = Platform { features: BARE.features.union(case.cpu.needs), ..BARE };
    [FULL, with_needs].iter().filter_map(|p| platform_for(case, p)).collect()
}

/// How many cases reach each rule, on each side.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// By rule: cases in which the condition held or the effect took place.
    held: Vec<u32>,
    /// By rule: cases in which the condition did not hold.
    failed: Vec<u32>,
    /// By rule: places of the cases that reach it.
    cases: Vec<Vec<u32>>,
}

impl Coverage {
    /// Runs the cases through the model.
    pub fn of(cases: &[Case]) -> Coverage {
        let mut coverage = Coverage {
            held: vec![0; rules::COUNT],
            failed: vec![0; rules::COUNT],
            cases: vec![Vec::new(); rules::COUNT],
        };
        for (place, case) in (0..).zip(cases) {
            let mut trace = Trace::new(None);
            for platform in platforms_for(case) {
                model::run_traced(case, &platform, &mut trace);
            }
            trace.held.iter().for_each(|r| coverage.held[r.index()] += 1);
            trace.failed.iter().for_each(|r| coverage.failed[r.index()] += 1);
            let mut reached = trace.held;
            reached.extend(&trace.failed);
            reached.iter().for_each(|r| coverage.cases[r.index()].push(place));
        }
        coverage
    }

    /// Cases in which the rule's condition held, or its effect took place.
    pub fn held(&self, rule: RuleId) -> u32 {
        self.held[rule.index()]
    }

    /// Cases in which the rule's condition did not hold.
    pub fn failed(&self, rule: RuleId) -> u32 {
        self.failed[rule.index()]
    }

    /// Whether a case reaches the rule on every side that it has, and on no other.
    pub fn complete(&self, id: RuleId, rule: &Rule) -> bool {
        self.held(id) > 0 && (self.failed(id) > 0) == (rule.sides == Sides::Two)
    }

    /// The case that notices when the rule is broken, the first if there are
    /// several: its outcome then differs from what it is kept to.
    pub fn witness<'a>(&self, rule: RuleId, cases: &'a [Case]) -> Option<&'a Case> {
        let reaching = self.cases[rule.index()].iter().map(|n| &cases[*n as usize]);
        reaching.into_iter().find(|case| notices(case, rule))
    }
}

fn notices(case: &Case, rule: RuleId) -> bool {
    platforms_for(case).iter().any(|platform| {
        let expected = model::run(case, platform);
        let broken = model::run_broken(case, platform, rule);
        !compare(&expected, &broken).is_empty()
    })
}
