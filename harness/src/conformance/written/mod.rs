//! Cases written by hand, each with what the manual says must come of it.
//!
//! One file a feature. A new case is one [`Draft`] in one of them; a new file
//! is one line in [`all`].

mod breakpoints;
mod code;
mod debug;
mod draft;
mod elsewhere;
mod exceptions;
mod feature_off;
mod gif;
mod injection;
mod instructions;
mod interrupts;
mod latched;
mod legacy;
mod maps;
mod newer;
mod npt;
mod priority;
mod race;
mod registers;
mod round_trip;
mod smm;
mod tlb;
mod undone;
mod unstated;
mod virq;
mod vmload;
mod vmrun_checks;

use svm_model::case::Case;
use svm_model::outcome::Outcome;

pub use draft::Draft;

/// A case and its expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The case.
    pub case: Case,
    /// What must come of it; what it leaves unknown is open.
    pub expect: Outcome,
    /// Section of APM volume 2 that says so.
    pub section: &'static str,
}

/// Every case, by file.
pub fn all() -> Vec<Written> {
    let files: [fn() -> Vec<Draft>; 24] = [
        round_trip::cases,
        vmrun_checks::cases,
        gif::cases,
        vmload::cases,
        registers::cases,
        instructions::cases,
        exceptions::cases,
        interrupts::cases,
        virq::cases,
        injection::cases,
        npt::cases,
        tlb::cases,
        maps::cases,
        debug::cases,
        newer::cases,
        feature_off::cases,
        legacy::cases,
        smm::cases,
        race::cases,
        breakpoints::cases,
        latched::cases,
        undone::cases,
        priority::cases,
        unstated::cases,
    ];
    files.iter().flat_map(|file| file()).map(Draft::finish).collect()
}

/// Those that no QEMU can run, and that only the model is held to.
pub fn elsewhere() -> Vec<Written> {
    elsewhere::cases().into_iter().map(Draft::finish).collect()
}
