//! Task switches (15.14.1).
pub(crate) mod cases;
pub(crate) mod model;
pub(crate) mod restart_written;
pub mod rules;
pub(crate) mod trap_written;
pub(crate) mod written;
