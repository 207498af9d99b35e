//! SVM's MSRs and the MSR permission map (15.4, 15.11, 15.30, 15.31).

pub(crate) mod cases;
pub(crate) mod map_cases;
pub(crate) mod model;
mod mutants;
pub mod rules;
pub(crate) mod written;
