//! TSC offset and TSC ratio (15.30.5).

pub(crate) mod cases;
pub mod rules;
pub(crate) mod written;
