//! Intercepts: exit codes, EXITINFO, and what is checked first (15.7 to 15.14).

pub(crate) mod cases;
pub(crate) mod model;
pub(crate) mod register_cases;
pub(crate) mod registers;
mod mutants;
pub mod rules;
pub(crate) mod table;
