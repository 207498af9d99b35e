//! `cargo xtask`: flags, dispatch, printing. No logic of its own.

#![forbid(unsafe_code)]

fn main() {}
