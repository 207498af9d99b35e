//! Virtual NMI (15.21.10).

pub(crate) mod cases;
pub mod rules;
pub(crate) mod written;
