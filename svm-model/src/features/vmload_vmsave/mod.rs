//! VMLOAD and VMSAVE, and their virtualisation (15.5.2, 15.33.1).

pub(crate) mod cases;
pub(crate) mod model;
mod mutants;
pub mod rules;
pub(crate) mod written;
