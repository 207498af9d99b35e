//! The model: what a processor that follows the manual does with a case.
//!
//! From VMRUN (APM vol. 2, 15.5) to #VMEXIT (15.6), and what L1 does between.
//! Pure: `(case, platform) -> outcome`. One file a chapter; wherever the manual
//! decides, the code names the rule ([`crate::rules`]) through a
//! [`Trace`], which is what coverage and the mutation check live on.
//!
//! What a processor offers is asked with `Machine::supported`; what is
//! switched on for the running guest with the guest's own `active` questions.

mod checks;
mod event;
mod exec;
#[cfg(test)]
mod explore;
mod fetch;
mod guest;
mod idt;
mod insn_flags;
mod insn_io;
mod insn_misc;
mod insn_msr;
mod insn_svm;
mod insn_system;
mod insn_table;
mod intercepts;
mod l1;
mod mem;
mod nested;
mod paging;
mod pending;
mod regs;
pub mod trace;
mod vmexit;
mod vmload;
mod vmrun;

use alloc::vec::Vec;

use crate::case::{Case, world};
use crate::cpu::{CpuFeature, Platform};
use crate::outcome::{Obs, Outcome};
use crate::rules::RuleId;
use crate::vmcb::{Field, Image};
use event::Event;
use guest::Guest;
use pending::Pending;
use regs::Regs;
pub use trace::{RuleSet, Trace};

/// More instructions and exceptions than any sensible case sees in one run of the
/// guest; a case that loops is open.
const BUDGET: u32 = 512;

/// Why the course of things leaves the current instruction.
#[derive(Debug)]
enum Stop {
    /// #VMEXIT has happened; L1 continues.
    Exit,
    /// The instruction raised an exception.
    Raise(Event),
    /// The manual, or the model, says nothing about what follows.
    Open,
}

type Flow<T = ()> = Result<T, Stop>;

/// What `case` must look like on a processor that offers `platform`.
pub fn run(case: &Case, platform: &Platform) -> Outcome {
    let mut trace = Trace::new(None);
    run_traced(case, platform, &mut trace)
}

/// As [`run`], with one rule broken.
pub fn run_broken(case: &Case, platform: &Platform, rule: RuleId) -> Outcome {
    let mut trace = Trace::new(Some(rule));
    run_traced(case, platform, &mut trace)
}

/// As [`run`], adding to the marks of `trace`.
pub fn run_traced(case: &Case, platform: &Platform, trace: &mut Trace) -> Outcome {
    let mut machine = Machine::new(case, platform, trace);
    for step in &case.steps {
        if machine.step(step).is_err() {
            machine.obs.push(Obs::Open);
            break;
        }
    }
    Outcome { obs: machine.obs }
}

/// One processor, its memory, and the marks of what decided its course.
struct Machine<'a> {
    case: &'a Case,
    platform: Platform,
    t: &'a mut Trace,
    mem: mem::Memory<'a>,
    r: Regs,
    /// SVM's own MSRs, and those that every processor has and cases write.
    msr: insn_msr::Msrs,
    gif: bool,
    pending: Pending,
    /// The guest that runs, and the host state that VMRUN saved.
    guest: Option<Guest>,
    /// RFLAGS for what L1 executes.
    l1_rflags: u64,
    /// RIP after the instruction that executes.
    next_rip: u64,
    /// The instruction that executes is an STI that set IF.
    sti: bool,
    fetch: fetch::Cursor,
    l2_log: Vec<crate::outcome::L2Event>,
    obs: Vec<Obs>,
    /// VMCB fields that the manual leaves open after the last #VMEXIT.
    open_fields: u128,
    /// Host registers, likewise.
    open_host: u128,
    /// The VMCB that was left last, and its fields that are open since.
    carried: (u64, u128),
    /// SS was loaded with a null selector by a stack switch: its hidden part is open.
    null_ss: bool,
    /// Bits of general registers that the model does not know.
    unknown: [u64; 16],
    /// An instruction has left status flags that the model does not compute.
    open_flags: bool,
    /// An event was delivered while last-branch recording was on.
    open_branches: bool,
    /// MONITOR has armed the monitor.
    armed: bool,
    /// Translations that the guest has used: ASID, linear page, system-physical page.
    used: Vec<(u64, u64, u64)>,
    /// Walks that need not be made again.
    walks: paging::Walks,
    budget: u32,
}

impl<'a> Machine<'a> {
    fn new(case: &'a Case, platform: &Platform, t: &'a mut Trace) -> Machine<'a> {
        Machine {
            case,
            platform: *platform,
            t,
            mem: mem::Memory::new(&case.program, baseline(platform)),
            r: Regs::L1,
            msr: insn_msr::Msrs::RESET,
            gif: true,
            pending: Pending::default(),
            guest: None,
            l1_rflags: world::L1_RFLAGS,
            next_rip: 0,
            sti: false,
            fetch: fetch::Cursor::default(),
            l2_log: Vec::new(),
            obs: Vec::with_capacity(4),
            open_fields: 0,
            open_host: 0,
            carried: (0, 0),
            null_ss: false,
            unknown: [0; 16],
            open_flags: false,
            open_branches: false,
            armed: false,
            used: Vec::new(),
            walks: paging::Walks::NONE,
            budget: BUDGET,
        }
    }

    /// Whether CPUID offers a feature.
    fn supported(&self, feature: CpuFeature) -> bool {
        self.platform.features.has(feature)
    }

    /// Whether a physical address is one that the processor can have.
    fn physical(&self, address: u64) -> bool {
        address >> self.platform.phys_bits.min(63) == 0
    }
}

/// The baseline VMCB on that processor.
fn baseline(platform: &Platform) -> &'static Image {
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
