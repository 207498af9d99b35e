//! `cargo xtask series`, `bisect` and `review` as a whole, on a QEMU and a suite
//! that are none.

mod bisect;
mod hostile;
mod mails;
mod review;
mod verify;
mod world;
