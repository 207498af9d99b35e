//! What the architecture defines, once: the VMCB's fields, exit codes, what CPUID offers.

pub mod cpu;
pub mod vmcb;
