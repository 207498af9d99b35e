//! Physical interrupts: INTR, NMI, SMI, INIT (15.13).

pub(crate) mod blocked_written;
pub(crate) mod cases;
pub(crate) mod model;
mod mutants;
pub(crate) mod order_written;
pub mod rules;
pub(crate) mod smm_msr_written;
pub(crate) mod smm_written;
pub(crate) mod written;
