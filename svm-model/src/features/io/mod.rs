//! IN, OUT and their string forms: the I/O permission map (15.10).

pub(crate) mod cases;
pub(crate) mod model;
pub mod rules;
pub(crate) mod written;
