//! VMRUN: what it demands of its operand, and what makes it refuse a VMCB
//! (15.5 and the instruction's page).

pub(crate) mod cases;
pub(crate) mod checks;
pub(crate) mod legacy_written;
pub(crate) mod model;
mod mutants;
pub(crate) mod pair_cases;
pub(crate) mod race_written;
pub mod rules;
pub(crate) mod unstated_written;
pub(crate) mod written;
