//! An executable specification of AMD SVM.
//!
//! Written from the AMD64 Architecture Programmer's Manual (APM), volume 2
//! chapter 15 and the SVM instruction pages of volume 3, never from an
//! emulator's code: the model judges emulators, so it shares nothing with them.
//!
//! Pure: no I/O, no unsafe, `no_std` with `alloc`, which the program in `no-std/` shows.

#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

pub mod arch;
pub mod case;
pub mod cases;
pub mod compare;
pub mod coverage;
pub mod feature;
pub mod features;
pub(crate) mod machine;
pub mod model;
pub mod outcome;
pub mod rules;
pub mod snapshot;
pub mod written;

pub use arch::{cpu, vmcb};
pub use case::Case;
pub use case::wire;
pub use compare::{Difference, compare};
pub use cpu::Platform;
pub use feature::Feature;
pub use outcome::Outcome;
