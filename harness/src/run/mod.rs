//! Running QEMU: one process a job, supervised, bounded and recorded.

mod child;
mod journal;
mod pool;
mod serial;

pub use child::{End, Ended, Launch, ask, run};
pub use journal::{Attempt, Journal};
pub use pool::{How, Measured, Set, Taken, measure};
pub use serial::Bounded;
