//! Virtual interrupts, the TPR and the interrupt shadow (15.21).

pub(crate) mod cases;
pub mod rules;
pub(crate) mod shadow_cases;
