//! Decode assists (15.8).

pub mod rules;
pub(crate) mod written;
