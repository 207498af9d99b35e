//! What the architecture defines, once: the VMCB and the bits of its fields, exit codes,
//! system registers, what CPUID offers. Each file is about one part of the manual.
//!
//! Everything else, the harness and its guest included, takes its constants from here:
//! `tests/tidy.rs` finds what is defined a second time.

pub mod control;
pub mod cpu;
pub mod exit;
pub mod intercept;
pub mod msr;
pub mod paging;
pub mod registers;
pub mod vmcb;

pub use control::{event, int_ctl, int_state, ioio, nested_ctl, tlb_control, virt_ext};
pub use msr::vm_cr;
pub use paging::{fault, pte};
pub use registers::{cr0, cr4, debugctl, dr, efer, flag};
