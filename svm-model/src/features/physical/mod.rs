//! Physical interrupts: INTR, NMI, SMI, INIT (15.13).

pub(crate) mod cases;
pub(crate) mod model;
