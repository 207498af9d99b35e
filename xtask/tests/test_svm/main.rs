//! `cargo xtask test-svm` as a whole, on a QEMU and a suite that are none.

mod fake;
mod faults;
mod hostile;
mod shards;
mod usage;
