//! `cargo xtask review`: what a reviewer does by hand, and what they forget.

pub mod apply;
pub mod assemble;
pub mod input;
