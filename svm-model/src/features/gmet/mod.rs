//! Guest mode execute trap (15.25.13).

pub mod rules;
pub(crate) mod written;
