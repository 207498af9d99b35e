//! QEMU as a program: its source, its builds, a binary, and its VMCB's layout.

pub mod build;
pub mod checkpatch;
pub mod layout;
pub mod qmp;
pub mod source;

mod binary;
mod wanted;

pub use binary::{BuildIdentity, Qemu, Series, Side, digest};
pub use wanted::Wanted;

#[cfg(test)]
pub(crate) mod testing;
