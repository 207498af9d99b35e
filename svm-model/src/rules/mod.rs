//! The catalogue of rules: what the manual says, one statement each, as data.
//!
//! One table a feature. A rule has an id that never changes; the model names
//! the rule at the line that decides by it ([`crate::model::trace`]), cases
//! reach it, reports group by it.
//!
//! Out of scope, by name: AVIC (15.29), SEV, SEV-ES and SEV-SNP (15.34 to
//! 15.36), shadow stacks (15.25.14 and the CET parts of 15.5), SKINIT's launch
//! of a loader (15.27), the device exclusion vector (15.24), FERR_FREEZE (15.14.2)
//! and the redirection of INIT (15.21.8), which written cases of the harness hold.

mod table;

pub mod bus_lock;
pub mod debug;
pub mod decode_assists;
pub mod event_injection;
pub mod gmet;
pub mod idle_hlt;
pub mod intercepts;
pub mod lbrv;
pub mod msr;
pub mod npt;
pub mod nrip;
pub mod pause_filter;
pub mod spec_ctrl;
pub mod tlb_asid;
pub mod tsc_scale;
pub mod vgif;
pub mod virq;
pub mod vmexit;
pub mod vmload_vmsave;
pub mod vmrun;
pub mod vmrun_state;
pub mod vnmi;

pub use table::{Rule, RuleId, Sides, Source};

/// Every table, in the order of rule numbers.
pub const TABLES: &[&[Rule]] = &[
    vmrun::TABLE,
    vmrun_state::TABLE,
    vmexit::TABLE,
    intercepts::TABLE,
    event_injection::TABLE,
    vgif::TABLE,
    virq::TABLE,
    vnmi::TABLE,
    vmload_vmsave::TABLE,
    npt::TABLE,
    gmet::TABLE,
    nrip::TABLE,
    decode_assists::TABLE,
    lbrv::TABLE,
    tsc_scale::TABLE,
    pause_filter::TABLE,
    idle_hlt::TABLE,
    bus_lock::TABLE,
    spec_ctrl::TABLE,
    tlb_asid::TABLE,
    debug::TABLE,
    msr::TABLE,
];

/// How many rules there are.
pub const COUNT: usize = msr::END as usize;

/// Every rule with its number, in order.
pub fn all() -> impl Iterator<Item = (RuleId, &'static Rule)> {
    TABLES.iter().copied().flatten().enumerate().map(|(n, rule)| (RuleId::new(n as u16), rule))
}

/// The rule of that id.
pub fn named(id: &str) -> Option<(RuleId, &'static Rule)> {
    all().find(|(_, rule)| rule.id == id)
}
