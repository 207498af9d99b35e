//! Which rules a run went through, and the switch that breaks one on purpose.

use super::table::Broken;
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
/// A model that is told to break a rule inverts its condition, leaves out its effect, or
/// does what the rule's own line in its table says: some case must then come out
/// differently, or the rule is only decoration.
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

    /// A value that a rule states: marks it, and returns the value, or the rule's broken form.
    #[inline]
    pub(crate) fn said<V: Value>(&mut self, rule: RuleId, value: V) -> V {
        self.held.add(rule);
        if self.broken == Some(rule) { broken(rule, value) } else { value }
    }

    /// An effect that a rule states: marks it, and says whether to do it.
    #[inline]
    pub fn does(&mut self, rule: RuleId) -> bool {
        self.held.add(rule);
        self.broken != Some(rule)
    }
}

/// The value in a model that breaks the rule.
#[cold]
fn broken<V: Value>(rule: RuleId, value: V) -> V {
    match rule.rule().broken {
        Broken::Is(other) => value.map(|_| other),
        Broken::Xor(bits) => value.map(|v| v ^ bits),
        Broken::Inverted | Broken::Instead(_) => value.map(|v| !v),
    }
}

/// What a rule can state the value of.
pub(crate) trait Value: Sized {
    /// The value with its bits changed.
    fn map(self, change: impl Fn(u64) -> u64) -> Self;
}

impl Value for u64 {
    fn map(self, change: impl Fn(u64) -> u64) -> u64 {
        change(self)
    }
}

impl Value for u8 {
    fn map(self, change: impl Fn(u64) -> u64) -> u8 {
        change(self.into()) as u8
    }
}

impl Value for bool {
    fn map(self, change: impl Fn(u64) -> u64) -> bool {
        change(self.into()) & 1 == 1
    }
}

impl<V: Value> Value for Option<V> {
    fn map(self, change: impl Fn(u64) -> u64) -> Option<V> {
        Some(self?.map(change))
    }
}
