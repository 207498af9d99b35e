//! Virtual interrupts, the TPR and the interrupt shadow (15.21).

pub(crate) mod cases;
pub(crate) mod model;
mod mutants;
pub mod rules;
pub(crate) mod shadow_cases;
pub(crate) mod written;
