//! Everything observable after a case: what #VMEXIT leaves (APM vol. 2, 15.6), and what L1
//! sees beside it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::snapshot::{HostState, VmcbState};

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
    /// L1 took an SMI and came back from it.
    L1Smi,
    /// The CPU went through INIT to its reset vector; L1's state is lost, and with
    /// it the rest of the case.
    L1Reset,
    /// The CPU shut down while L1 ran, or on its way back to it; the rest of the case is lost.
    L1Shutdown,
    /// The value that a reading step read.
    Value(u64),
    /// VMRUN came back: the VMCB and the host as they are right after #VMEXIT.
    Exit(Box<Exit>),
    /// The manual leaves open, or the model does not describe, what happens
    /// from here on; nothing after it is compared. No executor that measures
    /// produces it.
    Open,
}

/// The state after one #VMEXIT.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The VMCB that VMRUN used, as it then is in memory.
    pub vmcb: VmcbState,
    /// L1's registers after the exit, and those of L2 that no one saves.
    pub host: HostState,
    /// What L2's own exception stubs logged since VMRUN.
    pub l2_log: Vec<L2Event>,
}

/// One exception or interrupt that L2 took through its IDT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct L2Event {
    /// Vector.
    pub vector: u8,
    /// Error code; 0 where the vector has none.
    pub error: u32,
    /// RIP that was pushed.
    pub rip: u64,
}
