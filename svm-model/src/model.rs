//! The model: what a processor that follows the manual does with a case.
//!
//! From VMRUN (APM vol. 2, 15.5) to #VMEXIT (15.6), and what L1 does between.
//! Pure: `(case, platform) -> outcome`.

use alloc::vec::Vec;

use crate::case::Case;
use crate::cpu::Platform;
use crate::machine::Machine;
use crate::outcome::{Obs, Outcome};
use crate::rules::RuleId;
pub use crate::rules::{RuleSet, Trace};

/// What `case` must look like on a processor that offers `platform`.
pub fn run(case: &Case, platform: &Platform) -> Outcome {
    let mut trace = Trace::new(None);
    run_traced(case, platform, &mut trace)
}

/// What a case does to memory.
#[derive(Clone, Debug)]
pub struct Footprint {
    /// The quadwords that it writes, the VMCBs apart, in order.
    pub writes: Vec<u64>,
    /// Whether all that it reads and writes is known, and its own: neither the guest's nor the
    /// harness's, nor a place where there is no RAM.
    pub contained: bool,
}

/// What `case` does to memory on a processor that offers `platform`.
pub fn footprint(case: &Case, platform: &Platform) -> Footprint {
    let mut trace = Trace::new(None);
    let mut machine = Machine::new(case, platform, &mut trace);
    let known = case.steps.iter().all(|step| machine.step(step).is_ok());
    Footprint { writes: machine.mem.changes().collect(), contained: known && machine.mem.contained }
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
