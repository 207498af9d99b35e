//! The model's VMCB against QEMU's `target/i386/svm.h`.
//!
//! ```text
//! svm.h -> bindgen -> Header (offsets, widths, constants) -> compare with svm_model::vmcb -> Report
//! ```
//!
//! [`header`] asks bindgen where the C compiler puts each field, [`names`] says
//! which of ours each of QEMU's names means, and [`report`] compares.

pub mod header;
pub mod names;
pub mod report;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use report::Report;

use crate::Result;

/// Where the header is in a QEMU source tree.
pub const HEADER: &str = "target/i386/svm.h";

/// Compares the model's VMCB and exit codes with those of a QEMU source tree.
///
/// # Errors
/// Usage, when the tree has no such header; Setup, when there is no libclang;
/// Build, when the header is not valid C or has no `struct vmcb`.
pub fn check(tree: &Path) -> Result<Report> {
    let header = header::read(&tree.join(HEADER))?;
    Ok(Report::new(&header))
}
