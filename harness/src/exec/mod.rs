//! What turns cases into outcomes: one trait, [`Executor`], and three that are one.
//!
//! ```text
//! model   svm-model itself
//! qemu    Case -> encode -> RAM file -> boot (one QEMU, thousands of cases) -> decode -> Outcome
//! c       the same RAM file, run by QEMU's C code in a process of its own
//! ```
//!
//! [`name`] says how an executor is named on command lines, and [`place`] opens
//! what was named. [`ran`] is what a case can come to. [`guest`] builds the
//! guest, [`world`] lays out the memory that cases start from, [`ram`] is the
//! file that QEMU has for RAM, [`boot`] runs one QEMU and watches it, and
//! [`booted`] goes on behind a case that QEMU did not survive.

pub mod boot;
pub mod booted;
pub mod c;
pub mod decode;
pub mod encode;
pub mod guest;
pub mod model;
pub mod name;
pub mod place;
pub mod ram;
pub mod ran;
pub mod render;
pub mod watch;
pub mod world;

mod batch;

use svm_model::case::Case;
use svm_model::cpu::{CpuSet, Platform};

pub use booted::{Booted, Boots, LIMIT, alone, wanted};
pub use ran::{Crash, End, Ran, Stuck};

use crate::Result;

/// Anything that turns cases into outcomes.
pub trait Executor {
    /// What its CPU offers without those features.
    ///
    /// # Errors
    /// As [`Executor::run`].
    fn platform(&mut self, without: CpuSet) -> Result<Platform>;

    /// Runs the cases, in any order, and emits what became of each under its
    /// place in the list.
    ///
    /// # Errors
    /// Harness, when it cannot be started, does not come up, or when what it
    /// writes makes no sense; Usage, for a case that cannot be encoded or a QEMU
    /// without SVM; Interrupted; and what `emit` gives. That a case does not come
    /// to its end is no error.
    fn run(
        &mut self,
        cases: &[&Case],
        emit: &mut dyn FnMut(usize, Ran) -> Result<()>,
    ) -> Result<()>;
}

/// That CPU without the features that a case wants to be without.
pub fn platform_of(offered: &Platform, case: &Case) -> Platform {
    Platform { features: offered.features.minus(case.cpu.without), ..*offered }
}

/// QEMU's `-cpu` argument.
pub fn cpu_argument(without: CpuSet) -> String {
    without.iter().fold("max,+svm".to_owned(), |cpu, f| cpu + ",-" + f.name())
}
