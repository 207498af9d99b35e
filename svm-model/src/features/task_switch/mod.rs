//! Task switches (15.14.1).
pub(crate) mod model;
pub mod rules;
