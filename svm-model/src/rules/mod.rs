//! The catalogue of rules: what the manual says, one statement each, as data.
//!
//! One table a feature. A rule has an id that never changes; the model names
//! the rule at the line that decides by it ([`crate::rules::trace`]), cases
//! reach it, reports group by it.
//!
//! Out of scope, by name: AVIC (15.29), SEV, SEV-ES and SEV-SNP (15.34 to
//! 15.36), shadow stacks (15.25.14 and the CET parts of 15.5), SKINIT's launch
//! of a loader (15.27), the device exclusion vector (15.24), FERR_FREEZE (15.14.2)
//! and the redirection of INIT (15.21.8), which written cases hold.

pub(crate) mod table;
pub mod trace;

pub(crate) use crate::features::tables::*;
pub(crate) use table::Broken;
pub use table::{Rule, RuleId, Sides, Source, cited};
pub use trace::{RuleSet, Trace};

pub use crate::features::TABLES;

/// How many rules there are.
pub const COUNT: usize = {
    let (mut table, mut count) = (0, 0);
    while table < TABLES.len() {
        count += TABLES[table].len();
        table += 1;
    }
    count
};

/// Every rule with its number, in order.
pub fn all() -> impl Iterator<Item = (RuleId, &'static Rule)> {
    TABLES.iter().copied().flatten().enumerate().map(|(n, rule)| (RuleId::new(n as u16), rule))
}

/// The rule of that id.
pub fn named(id: &str) -> Option<(RuleId, &'static Rule)> {
    all().find(|(_, rule)| rule.id == id)
}
