//! Families of cases, generated: the same seed gives the same cases.
//!
//! Three kinds: matrices, where the space is small enough to take all of it;
//! boundary walks, which take a valid VMCB and make one thing wrong, or two
//! that interact; and random walks ([`random`]), which the seed steers.
//!
//! A case's id is `family/detail`, made of what the case is about and never of
//! its place in the family, so that it stays when cases are added around it.

mod bus_lock;
mod debug;
mod draft;
mod event_injection;
mod gif;
mod idle_hlt;
mod instructions;
mod io;
mod lbr;
mod msr;
mod msr_map;
mod nested;
mod nested_walk;
mod pause;
mod physical;
pub mod random;
mod registers;
mod shadow;
mod spec_ctrl;
mod tlb;
mod tsc;
mod virq;
mod vmexit;
mod vmload;
mod vmrun;
mod vmrun_load;
mod vmrun_pairs;
mod vnmi;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use crate::case::Case;
pub use draft::Draft;

/// A family: its name, which its cases' ids begin with, and what makes it.
pub struct Family {
    /// Name.
    pub name: &'static str,
    /// Makes the cases; only random families look at the seed and the number of walks.
    build: fn(&mut Cases, u64, usize),
}

/// What a family's cases are collected in.
pub type Cases = Vec<Case>;

/// The seed of the default run.
pub const SEED: u64 = 0x5f37_59df;

/// Every family.
pub const FAMILIES: &[Family] = &[
    Family { name: "vmrun", build: |out, _, _| vmrun::cases(out) },
    Family { name: "vmrun-pairs", build: |out, _, _| vmrun_pairs::cases(out) },
    Family { name: "vmrun-load", build: |out, _, _| vmrun_load::cases(out) },
    Family { name: "vmexit", build: |out, _, _| vmexit::cases(out) },
    Family { name: "instructions", build: |out, _, _| instructions::cases(out) },
    Family { name: "registers", build: |out, _, _| registers::cases(out) },
    Family { name: "io", build: |out, _, _| io::cases(out) },
    Family { name: "msr-map", build: |out, _, _| msr_map::cases(out) },
    Family { name: "msr", build: |out, _, _| msr::cases(out) },
    Family { name: "eventinj", build: |out, _, _| event_injection::cases(out) },
    Family { name: "gif", build: |out, _, _| gif::cases(out) },
    Family { name: "virq", build: |out, _, _| virq::cases(out) },
    Family { name: "shadow", build: |out, _, _| shadow::cases(out) },
    Family { name: "physical", build: |out, _, _| physical::cases(out) },
    Family { name: "vmload", build: |out, _, _| vmload::cases(out) },
    Family { name: "npt", build: |out, _, _| nested::cases(out) },
    Family { name: "npt-walk", build: |out, _, _| nested_walk::cases(out) },
    Family { name: "pause", build: |out, _, _| pause::cases(out) },
    Family { name: "idle-hlt", build: |out, _, _| idle_hlt::cases(out) },
    Family { name: "bus-lock", build: |out, _, _| bus_lock::cases(out) },
    Family { name: "spec-ctrl", build: |out, _, _| spec_ctrl::cases(out) },
    Family { name: "lbr", build: |out, _, _| lbr::cases(out) },
    Family { name: "vnmi", build: |out, _, _| vnmi::cases(out) },
    Family { name: "tsc", build: |out, _, _| tsc::cases(out) },
    Family { name: "tlb", build: |out, _, _| tlb::cases(out) },
    Family { name: "debug", build: |out, _, _| debug::cases(out) },
    Family { name: "random", build: random::cases },
];

impl Family {
    /// The family's cases.
    pub fn cases(&self, seed: u64) -> Vec<Case> {
        let mut out = Vec::new();
        (self.build)(&mut out, seed, random::COUNT);
        out
    }
}

/// Every case of every family; where two do the same, the first.
pub fn all(seed: u64) -> Vec<Case> {
    with_walks(seed, random::COUNT)
}

/// As [`all`], with that many random walks.
pub fn with_walks(seed: u64, walks: usize) -> Vec<Case> {
    let mut out = Vec::new();
    for family in FAMILIES {
        (family.build)(&mut out, seed, walks);
    }
    let mut seen = BTreeSet::new();
    out.retain(|case| seen.insert(fingerprint(case)));
    out
}

/// What a case does, its id and feature apart, as a number.
fn fingerprint(case: &Case) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    (&case.cpu, &case.program, &case.steps).hash(&mut hasher);
    hasher.0
}

/// FNV-1a, the same on every machine.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}
