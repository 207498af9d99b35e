//! How much a confined program gets.

use std::time::Duration;

use serde::{Deserialize, Serialize};

const GIB: u64 = 1 << 30;

/// Limits; what goes beyond is killed, or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// From start to end.
    pub time: Duration,
    /// Without doing anything: next to no processor time passes, and no thread is ready to run.
    pub idle: Duration,
    /// Resident memory of all its processes, in bytes.
    pub memory: u64,
    /// Processes and threads, and sixteen more for each core.
    pub processes: u64,
    /// The largest file that it can write, in bytes.
    pub file: u64,
    /// All that it can write may hold this much, in bytes.
    pub disk: u64,
    /// All that it can write may hold so many files.
    pub files: u64,
}

impl Limits {
    /// For a program that answers at once.
    pub const QUESTION: Limits = Limits {
        time: Duration::from_secs(60),
        idle: Duration::from_secs(60),
        memory: 2 * GIB,
        processes: 64,
        file: GIB,
        disk: 2 * GIB,
        files: 10_000,
    };
    /// For a build of QEMU.
    pub const BUILD: Limits = Limits {
        time: Duration::from_secs(60 * 60),
        idle: Duration::from_secs(120),
        memory: 8 * GIB,
        processes: 512,
        file: 2 * GIB,
        disk: 8 * GIB,
        files: 500_000,
    };
    /// For a QEMU with a guest; suites have shorter limits of their own.
    pub const RUN: Limits = Limits {
        time: Duration::from_secs(2 * 60 * 60),
        // A guest that halts does nothing.
        idle: Duration::from_secs(2 * 60 * 60),
        memory: 8 * GIB,
        processes: 256,
        file: 8 * GIB,
        disk: 16 * GIB,
        files: 500_000,
    };

    /// What of it `prlimit` can see to, as its arguments.
    pub(super) fn arguments(&self) -> [String; 4] {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
        [
            format!("--nproc={}", self.processes + 16 * cores),
            format!("--fsize={}", self.file),
            "--core=0".to_owned(),
            // More than any build needs, and less than what fills a kernel.
            "--nofile=4096".to_owned(),
        ]
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits::RUN
    }
}
