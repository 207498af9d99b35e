//! Debug state across the world switch (15.5, 15.12.2).

pub(crate) mod breakpoint_written;
pub(crate) mod breakpoints;
pub(crate) mod cases;
pub(crate) mod model;
mod mutants;
pub(crate) mod pushed_cases;
pub mod rules;
pub(crate) mod stream_written;
pub(crate) mod trap_cases;
pub(crate) mod walk_cases;
pub(crate) mod written;
