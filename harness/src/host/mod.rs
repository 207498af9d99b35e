//! The machine that we run on: processes, the cache, git, the console, and what
//! must be installed. Knows nothing of QEMU's contents or of SVM.

pub mod cache;
pub mod child;
pub mod console;
pub mod env;
pub mod error;
pub mod family;
pub mod git;
pub mod glob;
pub mod hash;
pub mod interrupt;
pub mod launch;
pub mod out;
pub mod paint;
pub mod process;
pub mod regular;
pub mod sandbox;
pub mod sanitizer;
pub mod serial;
pub mod setup;
pub mod visible;
pub mod wrap;
