//! ASIDs, TLB_CONTROL and INVLPGA (15.15, 15.16).

pub(crate) mod cases;
mod mutants;
pub mod rules;
pub(crate) mod model;
