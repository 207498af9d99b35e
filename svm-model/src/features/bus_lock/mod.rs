//! The bus lock threshold (15.14.5).

pub(crate) mod cases;
pub mod rules;
pub(crate) mod written;
