//! A case: one experiment, as data that every executor understands.
//!
//! A case is a script for L1 ([`Step`]s) and a short program for L2 ([`Insn`]s),
//! run in a fixed world ([`world`]). The model interprets it directly; the
//! conformance guest runs it inside a QEMU through a wire format.

pub(crate) mod code;
pub mod draft;
pub mod encode;
pub mod insn;
pub mod layout;
pub(crate) mod listing;
pub mod mode;
pub(crate) mod other_cpu;
pub mod wire;
pub mod world;
pub mod written;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use draft::Draft;
pub use insn::Insn;
pub use written::{About, Written};

use crate::Feature;
use crate::arch::msr;
use crate::cpu::CpuSet;
use crate::vmcb::Field;

/// One experiment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Case {
    /// Stable name: `family/detail`, e.g. `vgif/stgi-in-l2,vgif=1`.
    pub id: String,
    /// The feature that it is reported under.
    pub feature: Feature,
    /// The CPU that it needs.
    #[serde(default)]
    pub cpu: Cpu,
    /// What L2 executes, from [`world::L2_CODE`] on. A VMMCALL always follows the
    /// last instruction. An instruction with an operand that must be in a register
    /// is preceded by the moves that load it; outside 64-bit mode only those
    /// without such moves mean anything.
    #[serde(default)]
    pub program: Vec<Insn>,
    /// What L1 does, in order.
    pub steps: Vec<Step>,
}

impl Case {
    /// Whether it may leave last-branch records in L1's MSRs, which nothing writes back.
    pub fn leaves_branches(&self) -> bool {
        let insn = |i: &Insn| matches!(i, Insn::Wrmsr(msr::DEBUGCTL, _) | Insn::Raw(_));
        let step = |s: &Step| match s {
            Step::Wrmsr(msr, _) => *msr == msr::DEBUGCTL,
            Step::L1(i, _) => insn(i),
            _ => false,
        };
        self.steps.iter().any(step) || self.program.iter().any(insn)
    }
}

/// CPU features (APM vol. 3, appendix E) wanted on top of, or away from, `max,+svm`.
///
/// Cases with equal `without` and `board` share a boot; what a case needs and the booted CPU
/// lacks skips the case.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Cpu {
    /// Features that must be present; without them the case is skipped.
    #[serde(default)]
    pub needs: CpuSet,
    /// Features that must be switched off.
    #[serde(default)]
    pub without: CpuSet,
    /// What there is beside that CPU.
    #[serde(default, skip_serializing_if = "Board::is_small")]
    pub board: Board,
}

/// A machine to run cases in.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Board {
    /// One CPU.
    #[default]
    Small,
    /// A second CPU, which waits to be started, and a PCI device with memory.
    Large,
}

impl Board {
    /// Whether it is the one that nearly all cases do with.
    pub fn is_small(&self) -> bool {
        *self == Board::Small
    }
}

/// One thing that L1 does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Step {
    /// Writes `value` into a field of the VMCB at [`world::VMCB`].
    Vmcb(Field, u64),
    /// Writes `width` (1, 2, 4, 8) bytes at a physical address.
    Mem {
        /// Physical address.
        pa: u64,
        /// Bytes: 1, 2, 4 or 8.
        width: u8,
        /// Little-endian value.
        value: u64,
    },
    /// Reads memory; observed as [`crate::outcome::Obs::Value`].
    Peek {
        /// Physical address.
        pa: u64,
        /// Bytes: 1, 2, 4 or 8.
        width: u8,
    },
    /// WRMSR.
    Wrmsr(u32, u64),
    /// RDMSR; observed as a value.
    Rdmsr(u32),
    /// MOV to CRn.
    WriteCr(u8, u64),
    /// MOV from CRn; observed as a value.
    ReadCr(u8),
    /// MOV to DRn.
    WriteDr(u8, u64),
    /// MOV from DRn; observed as a value.
    ReadDr(u8),
    /// RFLAGS that L1 has while it executes VMRUN and [`Step::L1`]: IF and TF are honoured.
    Rflags(u64),
    /// Makes an event pending for this CPU.
    Raise(Event),
    /// L1 executes one instruction with that RAX; exceptions are observed.
    L1(Insn, u64),
    /// VMRUN with that RAX; the exit, or the exception, is observed.
    Vmrun(u64),
    /// Sets IF for a few instructions so that what is pending and allowed is taken and observed.
    Window,
}

/// A physical event (APM vol. 2, 15.13), raised through the local APIC or the chipset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    /// Fixed interrupt of that vector (self IPI).
    Intr(u8),
    /// NMI (self IPI).
    Nmi,
    /// INIT (self IPI).
    Init,
    /// SMI.
    Smi,
}
