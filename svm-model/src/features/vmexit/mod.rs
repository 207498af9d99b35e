//! #VMEXIT: what is written back, what is reloaded (15.6).

pub(crate) mod cases;
pub mod information;
pub(crate) mod model;
mod mutants;
pub mod rules;
pub(crate) mod undone_cases;
pub(crate) mod undone_written;
