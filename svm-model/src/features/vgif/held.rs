//! Table 15-10: what GIF does to each source of interrupts and exceptions (15.17).

use crate::rules::{RuleId, debug, vgif};

/// What happens to an event while GIF is clear (15.17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Ignored and discarded.
    Discarded,
    /// Held pending until GIF is set.
    Pending,
    /// Normal operation.
    Normal,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The source, as the table calls it.
    pub source: &'static str,
    /// What happens while GIF is clear.
    pub held: Held,
    /// The rule by which the model does so.
    pub rule: RuleId,
    /// How the ids of its cases in the family begin, GIF apart.
    pub cases: &'static [&'static str],
}

const fn row(
    source: &'static str,
    held: Held,
    rule: RuleId,
    cases: &'static [&'static str],
) -> Row {
    Row { source, held, rule, cases }
}

/// The table, as far as a case can raise what is in it.
pub const TABLE: &[Row] = &[
    row(
        "debug exception or trap, due to breakpoint register match",
        Held::Discarded,
        vgif::DISCARDS_BREAKPOINTS,
        &["l1-data", "l1-port", "l2-execution", "l2-data", "l2-port"],
    ),
    row("debug trace trap due to EFLAGS.TF", Held::Normal, debug::TF_TRAP, &["l2-step"]),
    row("INIT", Held::Pending, vgif::HOLDS_INIT, &["l1-init"]),
    row("NMI", Held::Pending, vgif::HOLDS_NMI, &["l1-nmi"]),
    row("external SMI", Held::Pending, vgif::HOLDS_SMI, &["l1-smi"]),
    row("INTR", Held::Pending, vgif::HOLDS_INTR, &["l1-intr", "l2-intr"]),
    row("vINTR", Held::Pending, vgif::HOLDS_VINTR, &["l2-virq"]),
];

/// Rows that no case can raise, and why.
pub const ELSEWHERE: &[(&str, &str)] = &[
    ("RESET", "a case ends with it"),
    ("internal SMI (I/O trapping)", "no device of the world traps I/O"),
    ("#SX", "written cases hold the redirection of INIT (15.21.8)"),
    ("machine check", "whether it is held depends on the implementation"),
    ("A20M", "legacy/a20- of the written cases"),
];
