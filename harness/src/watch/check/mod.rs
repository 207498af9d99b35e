//! The model beside QEMU: what VMRUN does with each VMCB, and what #VMEXIT leaves there, against
//! what the manual says.
//!
//! ```text
//! entering   whether VMRUN accepts the VMCB, and injects what EVENTINJ asks for
//! intercept  whether the VMCB has that exit intercepted, and what comes before the intercept
//! missed     what an intercept that was set did not catch
//! reported   EXITINFO1 and 2, EXITINTINFO, nRIP, instruction bytes
//! saved      what #VMEXIT writes, and what it must leave
//! ```
//!
//! What is seen are two moments, VMRUN and #VMEXIT. What L2 did between them is not; so each check
//! says only what these two decide, and that QEMU passes them all proves less than the suites do.

mod entering;
mod intercept;
#[cfg(test)]
mod lies;
mod missed;
mod reported;
mod saved;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;
use svm_model::cpu::{CpuFeature, Platform};
use svm_model::rules::{self, Rule};
use svm_model::vmcb::{Field, Image, exit};

use super::line::{Event, Exit, Line, When};
use crate::explain::page::Page;
use crate::explain::{event, exits};

/// Something that QEMU does not do as the manual says. The first time that it breaks a rule is
/// kept, the others are counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// The rule's id.
    pub rule: &'static str,
    /// Where the manual says it.
    pub section: String,
    /// What it says.
    pub statement: &'static str,
    /// The processor.
    pub cpu: u32,
    /// The VMCB.
    pub vmcb: u64,
    /// Which of the VMRUNs that were looked at it was.
    pub vmrun: u64,
    /// What was seen.
    pub what: String,
    /// How often that rule was broken.
    pub times: u64,
}

/// A rule that is broken, and what shows it.
type Said = (&'static Rule, String);

/// A VMRUN that was seen from its VMCB on.
#[derive(Debug)]
struct Entry {
    vmcb: u64,
    before: Image,
    /// The rules for which the model refuses it.
    refused: Vec<Said>,
    /// QEMU has entered the guest.
    entered: bool,
    /// Why QEMU refuses it.
    reasons: Vec<String>,
    /// An event was injected.
    injected: bool,
    /// GIF was set.
    gif: bool,
    /// How it has ended.
    exit: Option<Exit>,
}

/// What is known of a processor.
#[derive(Debug, Default)]
struct Vcpu {
    entry: Option<Entry>,
    /// A #VMEXIT must still clear GIF: that of this VMCB.
    sets_gif: Option<u64>,
}

/// Looks at what is traced.
#[derive(Debug)]
pub struct Checker {
    cpu: Platform,
    vcpus: BTreeMap<u32, Vcpu>,
    /// What was found, in order.
    pub found: Vec<Found>,
    /// VMRUNs that were looked at.
    pub checked: u64,
}

impl Checker {
    /// For a QEMU with such processors.
    pub fn new(cpu: Platform) -> Checker {
        Checker { cpu, vcpus: BTreeMap::new(), found: Vec::new(), checked: 0 }
    }

    /// Looks at a line; what came before it is known.
    pub fn take(&mut self, line: &Line) {
        let vcpu = self.vcpus.entry(line.cpu).or_default();
        let (vmcb, said) = match &line.event {
            Event::Vmcb { vmcb, when: When::Vmrun, page } => {
                self.checked += 1;
                let gif = vcpu.sets_gif.take().map(|_| named("vmexit.clears-gif", GIF_STAYS));
                vcpu.entry = Some(Entry::new(*vmcb, page, &self.cpu));
                (*vmcb, gif.into_iter().collect())
            }
            Event::Vmcb { vmcb, when: When::Exit, page } => {
                let Some(entry) = vcpu.entry.take() else { return };
                vcpu.sets_gif = Some(*vmcb);
                (*vmcb, entry.left(&Image::of(page), &self.cpu))
            }
            Event::Gif { cause, on } => {
                if cause == "#VMEXIT" && !on {
                    vcpu.sets_gif = None;
                }
                if let Some(entry) = &mut vcpu.entry {
                    entry.gif |= *on && cause == "VMRUN";
                }
                return;
            }
            Event::Flush { .. } => return,
            event => {
                let Some(entry) = &mut vcpu.entry else { return };
                (entry.vmcb, entry.take(event))
            }
        };
        self.say(line.cpu, vmcb, said);
    }

    fn say(&mut self, cpu: u32, vmcb: u64, said: Vec<Said>) {
        for (rule, what) in said {
            if let Some(known) = self.found.iter_mut().find(|found| found.rule == rule.id) {
                known.times += 1;
                continue;
            }
            let (section, vmrun) = (rule.citation(), self.checked);
            let (rule, statement) = (rule.id, rule.statement);
            let found = Found { rule, section, statement, cpu, vmcb, vmrun, what, times: 1 };
            self.found.push(found);
        }
    }
}

const GIF_STAYS: &str = "the next VMRUN came, and GIF was not cleared by the #VMEXIT before it";

/// A rule by its id, and what shows that it is broken.
///
/// # Panics
/// When there is no such rule: the ids here are those of the model, and the tests name each.
fn named(id: &str, what: impl Into<String>) -> Said {
    let rule = rules::named(id).map(|(_, rule)| rule);
    (rule.unwrap_or_else(|| panic!("no rule is called {id}")), what.into())
}

impl Entry {
    fn new(vmcb: u64, page: &Page, cpu: &Platform) -> Entry {
        Entry {
            vmcb,
            before: Image::of(page),
            refused: entering::refused(page, cpu),
            entered: false,
            reasons: Vec::new(),
            injected: false,
            gif: false,
            exit: None,
        }
    }

    /// What happens between VMRUN's look at the VMCB and #VMEXIT's.
    fn take(&mut self, event: &Event) -> Vec<Said> {
        match event {
            Event::Vmrun { .. } => {
                self.entered = true;
                self.refused.clone()
            }
            Event::Refused { reason, .. } => {
                self.reasons.push(reason.clone());
                Vec::new()
            }
            Event::Inject { info, error_code } => {
                self.injected = true;
                entering::injected(&self.before, *info, *error_code)
            }
            Event::Exit { exit, .. } => {
                self.exit = Some(*exit);
                self.ends(exit.code)
            }
            _ => Vec::new(),
        }
    }

    /// The VMCB is as #VMEXIT leaves it.
    fn left(&self, after: &Image, cpu: &Platform) -> Vec<Said> {
        let Some(exit) = self.exit else { return Vec::new() };
        let mut ran = Ran { before: &self.before, after, exit, cpu, said: Vec::new() };
        if exit.code == exit::INVALID {
            ran.refused();
        } else {
            ran.intercepted();
            ran.reported();
            ran.saved();
            ran.missed();
        }
        ran.said
    }
}

/// A guest that was entered, and left.
struct Ran<'a> {
    before: &'a Image,
    after: &'a Image,
    exit: Exit,
    cpu: &'a Platform,
    said: Vec<Said>,
}

impl Ran<'_> {
    /// What VMRUN found in a field.
    fn was(&self, field: Field) -> u64 {
        self.before.get(field)
    }

    /// What #VMEXIT left in it.
    fn is(&self, field: Field) -> u64 {
        self.after.get(field)
    }

    fn changed(&self, field: Field, mask: u64) -> bool {
        (self.was(field) ^ self.is(field)) & mask != 0
    }

    fn has(&self, feature: CpuFeature) -> bool {
        self.cpu.features.has(feature)
    }

    /// The exit by name.
    fn name(&self) -> String {
        format!("#VMEXIT({})", exits::name(self.exit.code))
    }

    /// The rule is broken where that is not so; `what` says what was seen of the exit.
    fn holds(&mut self, rule: &str, so: bool, what: impl FnOnce(&Self) -> String) {
        if !so {
            let what = format!("{}: {}", self.name(), what(self));
            self.said.push(named(rule, what));
        }
    }

    /// A field stays what it was, in those bits.
    fn keeps(&mut self, rule: &str, field: Field, mask: u64) {
        let same = !self.changed(field, mask);
        self.holds(rule, same, |ran| {
            let (was, is) = (ran.was(field), ran.is(field));
            format!("{field} was {was:#x}, and is {is:#x}")
        });
    }
}

/// An event in words, for what is said of it.
fn in_words(value: u64) -> String {
    event::words(value)
}
