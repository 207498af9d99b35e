//! Families of cases, generated: the same seed gives the same cases.
//!
//! Four kinds: matrices, where the space is small enough to take all of it;
//! boundary walks, which take a valid VMCB and make one thing wrong, or two
//! that interact; random walks ([`random`]), which the seed steers; and cases of the first two
//! kinds crossed with each other ([`crossed`]), by the seed as well.
//!
//! A case's id is `family/detail`, made of what the case is about and never of
//! its place in the family, so that it stays when cases are added around it.

pub mod crossed;
pub mod drawn;
pub mod random;

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use crate::case::Case;
use crate::features;
use crate::features::debug::walk_cases;

/// A family: its name, which its cases' ids begin with, and what makes it.
pub struct Family {
    /// Name.
    pub name: &'static str,
    /// Makes the cases; only random families look at the seed and the number of walks.
    build: fn(&mut Cases, u64, usize),
    /// Makes the case of a seed and a number, where its cases follow from a seed.
    walk: Option<fn(u64, u64) -> Case>,
}

/// What a family's cases are collected in.
pub type Cases = Vec<Case>;

/// The seed of the default run.
pub const SEED: u64 = 0x5f37_59df;

macro_rules! families {
    ($($name:literal = $feature:ident::$module:ident;)*) => {
        /// Every family.
        pub const FAMILIES: &[Family] = &[
            $(Family {
                name: $name,
                build: |out, _, _| features::$feature::$module::cases(out),
                walk: None,
            },)*
            Family { name: "debug-walk", build: walk_cases::cases, walk: Some(walk_cases::walk) },
            Family { name: "random", build: random::cases, walk: Some(random::walk) },
            Family { name: "crossed", build: crossed::cases, walk: Some(crossed::walk) },
        ];
    };
}

// One line registers a family. Where two cases do the same, that of the first family stays.
families! {
    "vmrun" = vmrun::cases;
    "vmrun-pairs" = vmrun::pair_cases;
    "vmrun-load" = vmrun_state::cases;
    "vmexit" = vmexit::cases;
    "instructions" = intercepts::cases;
    "registers" = intercepts::register_cases;
    "io" = io::cases;
    "msr-map" = msr::map_cases;
    "msr" = msr::cases;
    "eventinj" = event_injection::cases;
    "gif" = vgif::cases;
    "virq" = virq::cases;
    "shadow" = virq::shadow_cases;
    "physical" = physical::cases;
    "vmload" = vmload_vmsave::cases;
    "npt" = npt::cases;
    "npt-walk" = npt::walk_cases;
    "la57" = npt::la57_cases;
    "pause" = pause_filter::cases;
    "idle-hlt" = idle_hlt::cases;
    "bus-lock" = bus_lock::cases;
    "spec-ctrl" = spec_ctrl::cases;
    "lbr" = lbrv::cases;
    "vnmi" = vnmi::cases;
    "tsc" = tsc_scale::cases;
    "tlb" = tlb_asid::cases;
    "debug" = debug::cases;
    "traps" = debug::trap_cases;
    "intercept-order" = intercepts::order_cases;
    "gif-table" = vgif::held_cases;
    "undone-table" = vmexit::undone_cases;
    "read-once" = vmrun_state::latched_cases;
}

impl Family {
    /// Whether its cases follow from a seed.
    pub fn is_random(&self) -> bool {
        self.walk.is_some()
    }

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
    distinct(out)
}

/// Of cases that do the same, the first.
fn distinct(mut cases: Vec<Case>) -> Vec<Case> {
    let mut seen = BTreeSet::new();
    cases.retain(|case| seen.insert(fingerprint(case)));
    cases
}

/// An id under which the case is found, or nothing, for good: for a case that follows from a seed,
/// its id with what it does as a number behind it, since what a family draws from a seed changes
/// with the family, and what is crossed with every other.
pub fn lasting_id(case: &Case) -> String {
    let family = case.id.split('/').next();
    match FAMILIES.iter().find(|f| Some(f.name) == family) {
        Some(family) if family.is_random() => {
            format!("{}@{:06x}", case.id, fingerprint(case) & 0xff_ffff)
        }
        _ => case.id.clone(),
    }
}

/// The case that a family makes now of the seed and the number in that id, whatever the seed.
pub fn of_seed(id: &str) -> Option<Case> {
    let (family, rest) = id.split_once('/')?;
    let (seed, number) = rest.strip_prefix("0x")?.split_once('-')?;
    let walk = FAMILIES.iter().find(|f| f.name == family)?.walk?;
    let case = walk(u64::from_str_radix(seed, 16).ok()?, number.parse().ok()?);
    (case.id == id).then_some(case)
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
