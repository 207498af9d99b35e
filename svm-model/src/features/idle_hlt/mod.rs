//! The idle HLT intercept (15.9, Table 15-7).

pub(crate) mod cases;
pub mod rules;
pub(crate) mod written;
