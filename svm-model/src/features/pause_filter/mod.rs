//! PAUSE intercept filter and threshold (15.14.4).

pub(crate) mod cases;
mod mutants;
pub mod rules;
pub(crate) mod written;
