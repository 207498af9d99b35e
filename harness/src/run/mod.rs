//! Jobs of the suites, run in parallel and recorded as soon as they are known.

mod journal;
mod pool;

pub use journal::{Attempt, Journal};
pub use pool::{How, Measured, Set, Taken, measure};

/// QEMUs at a time where nobody says how many: the number of cores.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
