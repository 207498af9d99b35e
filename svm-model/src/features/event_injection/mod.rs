//! EVENTINJ and EXITINTINFO (15.20, 15.7.2).

pub(crate) mod cases;
pub(crate) mod model;
mod mutants;
pub mod rules;
pub(crate) mod written;
