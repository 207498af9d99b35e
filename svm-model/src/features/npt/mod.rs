//! Nested paging (15.25).

pub(crate) mod cases;
pub(crate) mod model;
mod mutants;
pub mod rules;
pub(crate) mod walk_cases;
pub(crate) mod written;
