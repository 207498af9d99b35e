//! SPEC_CTRL virtualisation (15.37.1), and the register itself.

pub(crate) mod cases;
pub mod rules;
pub(crate) mod written;
