//! What the harness and the measuring guest say to each other in memory: the
//! harness writes a header and tasks, the guest does them in order and writes
//! its samples. All are little-endian quadwords at fixed places in RAM.
//!
//! This file stands alone: the harness includes it too.

/// Physical address of the header.
pub const HEADER: u64 = 0x100_0000;
/// Physical address of the first task.
pub const TASKS: u64 = HEADER + 0x1000;
/// Bytes of a task.
pub const TASK_SIZE: u64 = 0x80;
/// Most tasks of one boot.
pub const TASK_MAX: u64 = 0x20;
/// Physical address of the first task's samples; each task has a room of [`SAMPLES_SIZE`].
pub const SAMPLES: u64 = HEADER + 0x10_0000;
/// Bytes of the room for one task's samples.
pub const SAMPLES_SIZE: u64 = 0x8_0000;
/// First quadword of the header: `SVMTIMES`.
pub const MAGIC: u64 = u64::from_le_bytes(*b"SVMTIMES");
/// Version of everything in this file; raised with every change.
pub const VERSION: u64 = 2;

/// Words of the header.
pub mod header {
    /// [`super::MAGIC`].
    pub const MAGIC: u64 = 0;
    /// [`super::VERSION`].
    pub const VERSION: u64 = 1;
    /// How many tasks there are.
    pub const TASKS: u64 = 2;
    /// How many are done; written by the guest.
    pub const DONE: u64 = 3;
    /// One of [`super::state`]; written by the guest.
    pub const STATE: u64 = 4;
    /// What went wrong: the vector of an exception, or an exit code.
    pub const WHAT: u64 = 5;
    /// RIP of the exception.
    pub const RIP: u64 = 6;
    /// Ticks of the TSC in a second; written by the guest.
    pub const TSC_HZ: u64 = 7;
    /// Not 0: nobody asks for times, and the guest does not look for [`TSC_HZ`]. That takes a
    /// fixed time, in which a faster machine executes more instructions.
    pub const UNTIMED: u64 = 8;
}

/// How it ended.
pub mod state {
    /// All tasks are done.
    pub const DONE: u64 = 1;
    /// An exception.
    pub const EXCEPTION: u64 = 2;
    /// An exit other than the task's.
    pub const WRONG_EXIT: u64 = 3;
    /// The CPU has no SVM.
    pub const NO_SVM: u64 = 4;
    /// The header or a task makes no sense to the guest.
    pub const BAD_INPUT: u64 = 5;
}

/// Words of a task.
pub mod task {
    /// One of [`super::kind`].
    pub const KIND: u64 = 0;
    /// How many samples are taken.
    pub const SAMPLES: u64 = 1;
    /// How often the work is done for one sample.
    pub const TRIPS: u64 = 2;
    /// What L2 executes, [`PROGRAM_WORDS`] words.
    pub const PROGRAM: u64 = 3;
    /// Words of the program.
    pub const PROGRAM_WORDS: u64 = 2;
    /// What L1 adds to L2's RIP after each exit.
    pub const STEP: u64 = 5;
    /// The exit code that each exit must have.
    pub const EXIT: u64 = 6;
}

/// What a task does. A sample is one quadword of TSC ticks unless it says otherwise.
pub mod kind {
    /// VMRUN and #VMEXIT, and nothing that is not needed in between.
    pub const ROUND_TRIP: u64 = 1;
    /// The same; L2 reads the TSC first. Two quadwords: from before VMRUN until
    /// then, and from then until L1 has read it again.
    pub const SPLIT: u64 = 2;
    /// What a hypervisor does about an exit: CLGI, VMLOAD, VMRUN, VMSAVE, VMLOAD
    /// of its own, STGI.
    pub const EXIT: u64 = 3;
    /// L1 alone: loads and stores all over a few MiB.
    pub const MEMORY: u64 = 4;
    /// L1 alone: calls, direct and through pointers, and arithmetic.
    pub const CALLS: u64 = 5;
    /// L1 alone: interrupts from the local APIC, and software interrupts.
    pub const INTERRUPTS: u64 = 6;
    /// L1 alone: address-space switches, INVLPG, and accesses after them.
    pub const PAGING: u64 = 7;
    /// L1 alone: CPUID, RDMSR and port accesses.
    pub const SYSTEM: u64 = 8;
}
