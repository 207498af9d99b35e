//! Jobs of the suites, run in parallel and recorded as soon as they are known.

mod journal;
mod pool;

pub use journal::{Attempt, Journal};
pub use pool::{How, Measured, Set, Taken, measure};
