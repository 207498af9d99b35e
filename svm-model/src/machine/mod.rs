//! The machine: the ordinary processor that SVM stands on (fetch, paging, delivery, registers,
//! memory), and what a case does to it. What SVM adds is in [`crate::features`], as further
//! methods of [`Machine`].
//!
//! Wherever the manual decides, the code names the rule ([`crate::rules`]) through a
//! [`Trace`], which is what coverage and the mutation check live on.

pub(crate) mod delivery;
pub(crate) mod execute;
#[cfg(test)]
mod explore;
pub(crate) mod fetch;
pub(crate) mod flags;
pub(crate) mod guest;
pub(crate) mod idt;
pub(crate) mod instructions;
pub(crate) mod l1;
pub(crate) mod memory;
pub(crate) mod paging;
pub(crate) mod registers;
pub(crate) mod tables;

use alloc::vec::Vec;

use crate::case::{Case, world};
use crate::cpu::{CpuFeature, Platform};
use crate::features::msr::model::Msrs;
use crate::features::physical::model::Pending;
use crate::features::vmexit::model::Carried;
use crate::outcome::Obs;
use crate::rules::{Broken, RuleId, Trace};
use crate::vmcb::{Field, Image};
use delivery::Event;
use guest::Guest;
use registers::Regs;

/// More instructions and exceptions than any sensible case sees in one run of the
/// guest; a case that loops is open.
pub(crate) const BUDGET: u32 = 512;

/// Why the course of things leaves the current instruction.
#[derive(Debug)]
pub(crate) enum Stop {
    /// #VMEXIT has happened; L1 continues.
    Exit,
    /// The instruction raised an exception.
    Raise(Event),
    /// The manual, or the model, says nothing about what follows.
    Open,
}

pub(crate) type Flow<T = ()> = Result<T, Stop>;

/// What a rule that leaves something alone was asked about.
#[derive(Clone, Copy)]
pub(crate) enum Scene<'s> {
    /// The machine says it all.
    Here,
    /// A VMCB at that address.
    Vmcb(u64),
    /// VMRUN loads that.
    Loading(&'s Image),
    /// The register of that number.
    Register(u8),
    /// The guest that #VMEXIT leaves.
    Leaving(&'s Guest),
    /// An access to that linear address.
    Access(u64),
    /// An event on its way.
    Event(&'s Event),
}

/// One processor, its memory, and the marks of what decided its course.
pub(crate) struct Machine<'a> {
    pub(crate) case: &'a Case,
    pub(crate) platform: Platform,
    pub(crate) t: &'a mut Trace,
    pub(crate) mem: memory::Memory<'a>,
    pub(crate) r: Regs,
    /// SVM's own MSRs, and those that every processor has and cases write.
    pub(crate) msr: Msrs,
    pub(crate) gif: bool,
    pub(crate) pending: Pending,
    /// The guest that runs, and the host state that VMRUN saved.
    pub(crate) guest: Option<Guest>,
    /// RFLAGS for what L1 executes.
    pub(crate) l1_rflags: u64,
    /// RIP after the instruction that executes.
    pub(crate) next_rip: u64,
    /// Bits of DR6 for what the instruction that executes has met of breakpoints.
    pub(crate) hits: u64,
    /// The same, for what waits behind the interrupts that a stream of #DB lets in.
    pub(crate) deferred_hits: u64,
    /// The instruction that executes has transferred control.
    pub(crate) branched: bool,
    /// The breakpoints' bits of DR6 are open.
    pub(crate) open_dr6: bool,
    /// The instruction that executes is an STI that set IF.
    pub(crate) sti: bool,
    pub(crate) fetch: fetch::Cursor,
    pub(crate) l2_log: Vec<crate::outcome::L2Event>,
    pub(crate) obs: Vec<Obs>,
    /// VMCB fields that the manual leaves open after the last #VMEXIT.
    pub(crate) open_fields: u128,
    /// Host registers, likewise.
    pub(crate) open_host: u128,
    /// The fields of each VMCB that are open since it was left.
    pub(crate) carried: Carried,
    /// SS was loaded with a null selector by a stack switch: its hidden part is open.
    pub(crate) null_ss: bool,
    /// Bits of general registers that the model does not know.
    pub(crate) unknown: [u64; 16],
    /// An instruction has left status flags that the model does not compute.
    pub(crate) open_flags: bool,
    /// An event was delivered while last-branch recording was on.
    pub(crate) open_branches: bool,
    /// MONITOR has armed the monitor.
    pub(crate) armed: bool,
    /// Translations that the guest has used: ASID, linear page, system-physical page.
    pub(crate) used: Vec<(u64, u64, u64)>,
    /// Walks that need not be made again.
    pub(crate) walks: paging::Walks,
    pub(crate) budget: u32,
    /// What is fetched is only looked at: no fault leaves the guest.
    pub(crate) probing: bool,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(case: &'a Case, platform: &Platform, t: &'a mut Trace) -> Machine<'a> {
        let mut r = Regs::L1;
        // Those of a case before it that runs in the same boot.
        r.branches.foreign = case.leaves_branches();
        Machine {
            case,
            platform: *platform,
            t,
            mem: memory::Memory::new(&case.program, baseline(platform)),
            r,
            msr: Msrs::RESET,
            gif: true,
            pending: Pending::default(),
            guest: None,
            l1_rflags: world::L1_RFLAGS,
            next_rip: 0,
            hits: 0,
            deferred_hits: 0,
            branched: false,
            open_dr6: false,
            sti: false,
            fetch: fetch::Cursor::default(),
            l2_log: Vec::new(),
            obs: Vec::with_capacity(4),
            open_fields: 0,
            open_host: 0,
            carried: Carried::default(),
            null_ss: false,
            unknown: [0; 16],
            open_flags: false,
            open_branches: false,
            armed: false,
            used: Vec::new(),
            walks: paging::Walks::NONE,
            budget: BUDGET,
            probing: false,
        }
    }

    /// What a rule has left alone: nothing happens, and the rule is marked. A model that
    /// breaks the rule does what the rule's line in its table names.
    #[inline]
    pub(crate) fn leaves(&mut self, rule: RuleId, scene: Scene<'_>) -> Flow {
        if self.t.does(rule) { Ok(()) } else { self.instead(rule, scene) }
    }

    #[cold]
    fn instead(&mut self, rule: RuleId, scene: Scene<'_>) -> Flow {
        match rule.rule().broken {
            Broken::Instead(broken) => broken(self, scene),
            _ => {
                panic!("{rule} leaves something alone, and its table does not say how to break it")
            }
        }
    }

    /// Whether CPUID offers a feature.
    pub(crate) fn supported(&self, feature: CpuFeature) -> bool {
        self.platform.features.has(feature)
    }

    /// Whether a physical address is one that the processor can have.
    pub(crate) fn physical(&self, address: u64) -> bool {
        address >> self.platform.phys_bits.min(63) == 0
    }
}

/// The baseline VMCB on that processor.
pub(crate) fn baseline(platform: &Platform) -> &'static Image {
    if platform.features.has(CpuFeature::Npt) { &BASELINE } else { &BASELINE_FLAT }
}

/// With nested paging.
static BASELINE: Image = {
    let (mut image, mut n) = (Image::ZERO, 0);
    while n < world::BASELINE.len() {
        image.set(world::BASELINE[n].0, world::BASELINE[n].1);
        n += 1;
    }
    image
};

/// Without.
static BASELINE_FLAT: Image = {
    let mut image = Image(BASELINE.0);
    image.set(Field::NESTED_CTL, 0);
    image.set(Field::N_CR3, 0);
    image
};
