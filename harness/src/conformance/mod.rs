//! The conformance suite: cases, run by our own guest inside a QEMU.
//!
//! ```text
//! Case -> encode -> RAM file -> boot (one QEMU, thousands of cases) -> decode -> Outcome
//! ```
//!
//! [`guest`] builds the guest, [`world`] lays out the memory that cases start
//! from, [`ram`] is the file that QEMU has for RAM, [`boot`] runs one QEMU and
//! watches it, and [`executor`] goes on behind a case that QEMU did not survive.
//! [`c`] puts QEMU's C code in the place of guest and QEMU, in a process of its own.

pub mod boot;
pub mod c;
pub mod catalogue;
pub mod decode;
pub mod encode;
pub mod executor;
pub mod guest;
pub mod ram;
pub mod render;
pub mod suite;
pub mod watch;
pub mod world;
