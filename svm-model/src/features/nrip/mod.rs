//! Next RIP (15.7.1).

pub mod rules;
pub(crate) mod written;
