//! What a rule is, and how a table of rules is written down.

use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::Feature;
use crate::machine::{Flow, Machine, Scene};

/// One normative statement.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Stable id (`vmrun.cr0-cd-nw`).
    pub id: &'static str,
    /// Section of APM vol. 2, or the instruction's page in vol. 3.
    pub section: &'static str,
    /// The feature that it is reported under.
    pub feature: Feature,
    /// The statement, in our words.
    pub statement: &'static str,
    /// How many sides its condition has.
    pub sides: Sides,
    /// What decides it.
    pub source: Source,
    /// What a model that breaks it does.
    pub(crate) broken: Broken,
}

/// What a model that breaks a rule on purpose does instead of what the rule says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Broken {
    /// Takes the other side of a condition, leaves out an effect, or turns round the bits of
    /// a value.
    Inverted,
    /// Has that value, whatever the rule says.
    Is(u64),
    /// Has those bits of the value the other way round.
    Xor(u64),
    /// Does that, where the rule has something left alone: see [`Machine::leaves`].
    Instead(fn(&mut Machine<'_>, Scene<'_>) -> Flow),
}

impl Rule {
    /// Where the manual says it, with the volume: `APM vol. 2, 15.5.1`.
    pub fn citation(&self) -> String {
        cited(self.section)
    }
}

/// A rule's section with its volume: a number is one of volume 2, a name an instruction's page.
pub fn cited(section: &str) -> String {
    match section.as_bytes().first() {
        Some(b'0'..=b'9') => format!("APM vol. 2, {section}"),
        Some(b'A'..=b'Z') => format!("APM vol. 3, {section}"),
        _ => format!("APM {section}"),
    }
}

/// Whether a rule is a condition or an unconditional effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sides {
    /// An effect; reached or not.
    One,
    /// A condition; cases must reach it both true and false.
    Two,
}

/// What decides a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The manual says so, in the rule's section.
    Manual,
    /// The manual is silent or unclear.
    Silent {
        /// What decides instead.
        decided_by: &'static str,
        /// Why that is believable.
        reasoning: &'static str,
    },
}

/// A rule's number: its place among all rules of this build. Not stable; the id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(u16);

impl RuleId {
    pub(crate) const fn new(n: u16) -> RuleId {
        RuleId(n)
    }

    /// The number.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The rule.
    pub fn rule(self) -> &'static Rule {
        super::TABLES
            .iter()
            .copied()
            .flatten()
            .nth(self.index())
            .expect("rule numbers come from the tables")
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.rule().id)
    }
}

/// Writes a table of rules: `NAME = "id", "section", sides, "statement"` with
/// an optional `, silent("decided by", "reasoning")`, and `, broken = …` (see [`Broken`]) where
/// turning the rule round is not what breaking it means. Each name becomes a
/// [`RuleId`] constant of the module; where its numbers start, the list of features says.
macro_rules! rules {
    ($feature:ident; $($name:ident = $id:literal, $section:literal, $sides:ident, $statement:literal
        $(, silent($by:literal, $why:literal))? $(, broken = $broken:expr)?;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Place { $($name),* }
        const START: u16 = $crate::features::first_number(TABLE[0].id);
        $(
            // Bit ranges such as [63:32] are no links.
            #[allow(rustdoc::broken_intra_doc_links)]
            #[doc = concat!("`", $id, "` (", $section, "): ", $statement)]
            pub const $name: $crate::rules::RuleId = $crate::rules::RuleId::new(START + Place::$name as u16);
        )*
        /// The rules of this table.
        pub const TABLE: &[$crate::rules::Rule] = &[$($crate::rules::Rule {
            id: $id,
            section: $section,
            feature: $crate::Feature::$feature,
            statement: $statement,
            sides: $crate::rules::table::rules!(@sides $sides),
            source: $crate::rules::table::rules!(@source $($by, $why)?),
            broken: $crate::rules::table::rules!(@broken $($broken)?),
        }),*];
    };
    (@sides one) => { $crate::rules::Sides::One };
    (@sides two) => { $crate::rules::Sides::Two };
    (@broken) => { $crate::rules::table::Broken::Inverted };
    (@broken $broken:expr) => {{
        #[allow(unused_imports)]
        use $crate::rules::table::Broken::{Instead, Is, Xor};
        $broken
    }};
    (@source) => { $crate::rules::Source::Manual };
    (@source $by:literal, $why:literal) => {
        $crate::rules::Source::Silent { decided_by: $by, reasoning: $why }
    };
}
pub(crate) use rules;
