//! LBR virtualisation (15.23).

pub(crate) mod cases;
mod mutants;
pub mod rules;
pub(crate) mod written;
