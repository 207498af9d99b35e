//! The global interrupt flag and its virtualisation (15.17, 15.33.2).

pub(crate) mod cases;
pub(crate) mod model;
pub mod rules;
pub(crate) mod written;
