//! Which rules a run went through, and the switch that breaks one on purpose.

use crate::rules::{self, RuleId};

const WORDS: usize = rules::COUNT.div_ceil(64);

/// A set of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleSet([u64; WORDS]);

impl RuleSet {
    /// No rule.
    pub const EMPTY: RuleSet = RuleSet([0; WORDS]);

    #[inline]
    fn add(&mut self, rule: RuleId) {
        self.0[rule.index() / 64] |= 1 << (rule.index() % 64);
    }

    /// Whether it holds that rule.
    pub fn has(&self, rule: RuleId) -> bool {
        self.0[rule.index() / 64] >> (rule.index() % 64) & 1 == 1
    }

    /// Adds all of the other.
    pub fn extend(&mut self, other: &RuleSet) {
        self.0.iter_mut().zip(other.0).for_each(|(a, b)| *a |= b);
    }

    /// Its rules.
    pub fn iter(&self) -> impl Iterator<Item = RuleId> + '_ {
        (0..rules::COUNT).map(|n| RuleId::new(n as u16)).filter(|r| self.has(*r))
    }
}

/// The marks of one or more runs.
///
/// A model that is told to break a rule inverts its condition, or leaves out
/// its effect: some case must then come out differently, or the rule is only
/// decoration.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Conditions that held, and effects that took place.
    pub held: RuleSet,
    /// Conditions that did not hold.
    pub failed: RuleSet,
    broken: Option<RuleId>,
}

impl Trace {
    /// No marks; that rule, if any, is broken.
    pub fn new(broken: Option<RuleId>) -> Trace {
        Trace { held: RuleSet::EMPTY, failed: RuleSet::EMPTY, broken }
    }

    /// Decides by a rule with two sides: marks the side, returns the condition.
    #[inline]
    pub fn rule(&mut self, rule: RuleId, condition: bool) -> bool {
        if condition {
            self.held.add(rule);
        } else {
            self.failed.add(rule);
        }
        condition ^ (self.broken == Some(rule))
    }

    /// An effect that a rule states: marks it, and says whether to do it.
    #[inline]
    pub fn does(&mut self, rule: RuleId) -> bool {
        self.held.add(rule);
        self.broken != Some(rule)
    }
}
