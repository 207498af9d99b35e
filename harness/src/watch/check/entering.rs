//! VMRUN: whether it accepts the VMCB, and what it injects (15.5.1, 15.20).

use svm_model::arch::event;
use svm_model::check_with;
use svm_model::cpu::Platform;
use svm_model::vmcb::{Field, Image, exit};

use super::{Entry, Ran, Said, in_words, named};
use crate::explain::page::Page;
use crate::suites::refusals;

/// The rules for which VMRUN must refuse it. Memory is not seen, so PDPTEs are not looked at.
pub(super) fn refused(page: &Page, cpu: &Platform) -> Vec<Said> {
    let said = |one: &svm_model::Broken| {
        let (field, value) = (one.field, one.value);
        (one.rule, format!("VMRUN entered the guest, though {field} is {value:#x}"))
    };
    check_with(page, cpu, |_| None).iter().map(said).collect()
}

/// What is injected is what EVENTINJ asks for.
pub(super) fn injected(before: &Image, info: u64, error_code: u64) -> Vec<Said> {
    let asked = before.get(Field::EVENTINJ);
    if asked & event::V == 0 {
        let what = format!("injected was {}, though EVENTINJ is {asked:#x}", in_words(info));
        return vec![named("eventinj.valid", what)];
    }
    let code = asked & event::EV == 0 || error_code == asked >> 32;
    if info == asked & 0xffff_ffff && code {
        return Vec::new();
    }
    let injected = in_words(info | error_code << 32);
    let what = format!("injected was {injected}; EVENTINJ asks for {}", in_words(asked));
    vec![named("eventinj.delivered", what)]
}

/// PDPTEs are in memory, which is not seen.
const UNSEEN: &str = "reserved bit of a PDPTE";

impl Entry {
    /// It ends with that code.
    pub(super) fn ends(&self, code: u64) -> Vec<Said> {
        match (code == exit::INVALID, self.entered) {
            (true, true) => {
                let what = "VMEXIT_INVALID came after the guest was entered";
                vec![named("vmrun.invalid-exit", what)]
            }
            (true, false) => self.in_vain(),
            (false, false) => {
                let what =
                    format!("no guest was entered, and the exit code is {code:#x}, not INVALID");
                vec![named("vmrun.invalid-exit", what)]
            }
            (false, true) => self.all_done(),
        }
    }

    /// QEMU refuses what the model accepts.
    fn in_vain(&self) -> Vec<Said> {
        if !self.refused.is_empty() || self.reasons.iter().any(|reason| reason == UNSEEN) {
            return Vec::new();
        }
        if self.reasons.is_empty() {
            let what = "VMRUN refused a VMCB that breaks no rule, and gave no reason";
            return vec![named("vmrun.invalid-exit", what)];
        }
        let said = |reason: &String| {
            let rule = refusals::rule_of(reason).unwrap_or("vmrun.invalid-exit");
            named(rule, format!("VMRUN refused a VMCB that breaks no rule: {reason:?}"))
        };
        self.reasons.iter().map(said).collect()
    }

    /// VMRUN has done what it does beside.
    fn all_done(&self) -> Vec<Said> {
        let asked = self.before.get(Field::EVENTINJ);
        let mut said = Vec::new();
        if asked & event::V != 0 && !self.injected {
            let what = format!("EVENTINJ asks for {}, and nothing was injected", in_words(asked));
            said.push(named("eventinj.delivered", what));
        }
        if !self.gif {
            said.push(named("vmrun.sets-gif", "a guest was entered, and GIF was not set"));
        }
        said
    }
}

impl Ran<'_> {
    /// After VMEXIT_INVALID, nothing was loaded that could be saved.
    pub(super) fn refused(&mut self) {
        self.exit_code();
        for field in Field::ALL.iter().filter(|field| field.offset() >= svm_model::vmcb::SAVE) {
            self.keeps("vmrun.invalid-save-area", *field, u64::MAX);
        }
        let cleared = self.is(Field::EVENTINJ) == 0;
        self.holds("vmrun.invalid-eventinj", cleared, |ran| {
            format!("eventinj is {:#x}", ran.is(Field::EVENTINJ))
        });
    }
}
