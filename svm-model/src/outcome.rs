//! Everything observable after a case.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// What one executor saw of one case: the observations in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Observations, in the order in which they happened.
    pub obs: Vec<Obs>,
}

/// One observation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Obs {
    /// L1 took an exception while executing a step.
    L1Exception {
        /// Vector.
        vector: u8,
        /// Error code, where the vector has one.
        error: Option<u32>,
    },
    /// L1 took a physical interrupt.
    L1Interrupt(u8),
    /// L1 took an NMI.
    L1Nmi,
    /// The value that a reading step read.
    Value(u64),
    /// VMRUN came back: the VMCB and the host as they are right after #VMEXIT.
    Exit(Exit),
}

/// The state after one #VMEXIT. `None` means that the manual leaves the value
/// open, so that nothing is compared; an executor that measures leaves no `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// VMCB fields by name, as written back.
    pub vmcb: alloc::collections::BTreeMap<alloc::string::String, Option<u64>>,
    /// L1 registers after the exit: `rax`, `rflags`, `cr0`, `cr3`, `cr4`, `efer`, `dr7`, `gif`.
    pub host: alloc::collections::BTreeMap<alloc::string::String, Option<u64>>,
    /// Exceptions and interrupts that L2's own stubs logged before the exit: vector, error code, RIP.
    pub l2_log: Vec<(u8, u32, u64)>,
}
