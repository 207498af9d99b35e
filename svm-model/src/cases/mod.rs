//! Families of cases, generated: the same seed gives the same cases.
//!
//! Three kinds: matrices, where the space is small enough to take all of it;
//! boundary walks, which take a valid VMCB and make one thing wrong, or two
//! that interact; and random walks ([`random`]), which the seed steers.
//!
//! A case's id is `family/detail`, made of what the case is about and never of
//! its place in the family, so that it stays when cases are added around it.

pub mod random;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use crate::case::Case;
use crate::features;

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
    Family { name: "vmrun", build: |out, _, _| features::vmrun::cases::cases(out) },
    Family { name: "vmrun-pairs", build: |out, _, _| features::vmrun::pair_cases::cases(out) },
    Family { name: "vmrun-load", build: |out, _, _| features::vmrun_state::cases::cases(out) },
    Family { name: "vmexit", build: |out, _, _| features::vmexit::cases::cases(out) },
    Family { name: "instructions", build: |out, _, _| features::intercepts::cases::cases(out) },
    Family {
        name: "registers",
        build: |out, _, _| features::intercepts::register_cases::cases(out),
    },
    Family { name: "io", build: |out, _, _| features::io::cases::cases(out) },
    Family { name: "msr-map", build: |out, _, _| features::msr::map_cases::cases(out) },
    Family { name: "msr", build: |out, _, _| features::msr::cases::cases(out) },
    Family { name: "eventinj", build: |out, _, _| features::event_injection::cases::cases(out) },
    Family { name: "gif", build: |out, _, _| features::vgif::cases::cases(out) },
    Family { name: "virq", build: |out, _, _| features::virq::cases::cases(out) },
    Family { name: "shadow", build: |out, _, _| features::virq::shadow_cases::cases(out) },
    Family { name: "physical", build: |out, _, _| features::physical::cases::cases(out) },
    Family { name: "vmload", build: |out, _, _| features::vmload_vmsave::cases::cases(out) },
    Family { name: "npt", build: |out, _, _| features::npt::cases::cases(out) },
    Family { name: "npt-walk", build: |out, _, _| features::npt::walk_cases::cases(out) },
    Family { name: "pause", build: |out, _, _| features::pause_filter::cases::cases(out) },
    Family { name: "idle-hlt", build: |out, _, _| features::idle_hlt::cases::cases(out) },
    Family { name: "bus-lock", build: |out, _, _| features::bus_lock::cases::cases(out) },
    Family { name: "spec-ctrl", build: |out, _, _| features::spec_ctrl::cases::cases(out) },
    Family { name: "lbr", build: |out, _, _| features::lbrv::cases::cases(out) },
    Family { name: "vnmi", build: |out, _, _| features::vnmi::cases::cases(out) },
    Family { name: "tsc", build: |out, _, _| features::tsc_scale::cases::cases(out) },
    Family { name: "tlb", build: |out, _, _| features::tlb_asid::cases::cases(out) },
    Family { name: "debug", build: |out, _, _| features::debug::cases::cases(out) },
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
