//! VMRUN: what is loaded from the VMCB, and what is not (15.5.1, VMRUN).

pub(crate) mod cases;
pub(crate) mod latched_cases;
pub(crate) mod latched_written;
pub(crate) mod model;
mod mutants;
pub mod rules;
pub(crate) mod written;
