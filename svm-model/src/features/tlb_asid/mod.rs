//! ASIDs, TLB_CONTROL and INVLPGA (15.15, 15.16).

pub(crate) mod cases;
pub(crate) mod model;
mod mutants;
pub mod rules;
pub(crate) mod written;
