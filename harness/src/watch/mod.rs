//! What a running QEMU does with SVM: exits by code, rates and times, refusals, and whether it is
//! what the manual says.
//!
//! ```text
//! attach   QEMU's monitor: trace events on, the log into our pipe, and back again
//! child    a QEMU of our own, for one that is not running yet
//! pipe     what QEMU writes, line by line
//! line     a line of it
//! count    how often and how long
//! check    the model beside each VMRUN and each #VMEXIT
//! follow   all of that, interval by interval
//! table    it for a person; records: for a program
//! ```
//!
//! The trace events are those of the series (`svm_*`), written by QEMU's log backend.

pub mod attach;
pub mod check;
pub mod child;
pub mod count;
pub mod follow;
pub mod line;
mod pipe;
pub mod records;
#[cfg(test)]
mod snapshots;
pub mod table;
