//! Intercepts: exit codes, EXITINFO, and what is checked first (15.7 to 15.14).

pub(crate) mod cases;
pub(crate) mod exception_cases;
pub(crate) mod exception_written;
pub(crate) mod model;
mod mutants;
pub mod order;
pub mod order_cases;
pub(crate) mod priority_written;
pub(crate) mod register_cases;
pub(crate) mod register_written;
pub(crate) mod registers;
pub mod rules;
pub(crate) mod table;
pub(crate) mod written;
