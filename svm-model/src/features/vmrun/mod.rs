//! VMRUN: what it demands of its operand, and what makes it refuse a VMCB
//! (15.5 and the instruction's page).

pub(crate) mod cases;
pub(crate) mod checks;
pub(crate) mod model;
pub(crate) mod pair_cases;
mod mutants;
pub mod rules;
