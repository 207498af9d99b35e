//! #VMEXIT: what is written back, what is reloaded (15.6).

pub(crate) mod cases;
pub(crate) mod model;
pub(crate) mod undone_written;
mod mutants;
pub mod rules;
