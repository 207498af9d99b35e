//! LBR virtualisation (15.23).

pub(crate) mod cases;
pub mod rules;
