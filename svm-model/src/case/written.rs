//! Written cases: what a person has said must come of a case, and what it is about.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::{Case, Draft, world};
use crate::outcome::{Exit, L2Event, Obs, Outcome};
use crate::rules::RuleId;
use crate::snapshot::HostReg;
use crate::vmcb::{Field, exit};

/// A case and its expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The case.
    pub case: Case,
    /// What must come of it; what it leaves unknown is open.
    pub expect: Outcome,
    /// What it is about.
    pub about: About,
}

/// What a written case is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A rule, and others that take part.
    Rule(RuleId, Vec<RuleId>),
    /// Something that the model does not know and has no rule for: a section of APM volume 2.
    Section(&'static str),
}

impl About {
    /// The rule, if there is one.
    pub fn rule(&self) -> Option<RuleId> {
        self.rules().next()
    }

    /// That rule first, and the others.
    pub fn rules(&self) -> impl Iterator<Item = RuleId> + '_ {
        let (first, others) = match self {
            About::Rule(first, others) => (Some(*first), others.as_slice()),
            About::Section(_) => (None, &[][..]),
        };
        first.into_iter().chain(others.iter().copied())
    }
}

impl From<RuleId> for About {
    fn from(rule: RuleId) -> About {
        About::Rule(rule, Vec::new())
    }
}

impl<const N: usize> From<[RuleId; N]> for About {
    fn from(rules: [RuleId; N]) -> About {
        const { assert!(N > 1, "one rule needs no list") };
        About::Rule(rules[0], rules[1..].to_vec())
    }
}

/// As a report cites it: `APM vol. 2, 15.14.4 (pause.count)`.
impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            About::Rule(rule, _) => write!(f, "{} ({rule})", rule.rule().citation()),
            About::Section(section) => write!(f, "APM vol. 2, {section}"),
        }
    }
}

/// Expectations. What they say is what must be observed next, or at the last exit.
impl Draft {
    /// What the case is about: a rule, some rules with the one that it is about in front, or
    /// [`About::Section`].
    pub fn about(mut self, about: impl Into<About>) -> Draft {
        self.about = Some(about.into());
        self
    }

    /// That must be observed next.
    #[inline(never)]
    pub fn shows(mut self, obs: Obs) -> Draft {
        self.expected.push(obs);
        self
    }

    /// What is read next must be that.
    #[inline(never)]
    pub fn value(self, value: u64) -> Draft {
        self.shows(Obs::Value(value))
    }

    /// VMRUN must come back with that exit code; L1 must be as it was, save
    /// what [`Draft::host`] says, and nothing was being delivered, save what
    /// [`Draft::field`] says.
    #[inline(never)]
    pub fn exits(self, code: u64) -> Draft {
        let mut exit = Exit::default();
        exit.vmcb.set(Field::EXITCODE, code);
        if code != exit::INVALID {
            exit.vmcb.set(Field::EXITINTINFO, 0);
        }
        let l1 = [
            (HostReg::Rax, world::VMCB),
            (HostReg::Rflags, world::L1_RFLAGS),
            (HostReg::Cr0, world::L1_CR0),
            (HostReg::Cr3, world::L1PT),
            (HostReg::Cr4, world::L1_CR4),
            (HostReg::Efer, world::L1_EFER),
            (HostReg::Dr7, 0x400),
        ];
        for (register, value) in l1 {
            exit.host.set(register, value);
        }
        self.shows(Obs::Exit(Box::new(exit)))
    }

    /// VMRUN must come back through the VMMCALL behind the program.
    #[inline(never)]
    pub fn ends(self) -> Draft {
        let at = self.case.program.len();
        self.exits(exit::VMMCALL).at(at)
    }

    /// VMRUN must come back because L2 took this exception or interrupt itself.
    #[inline(never)]
    pub fn takes(mut self, vector: u8, error: u32, rip: u64) -> Draft {
        self = self.exits(exit::VMMCALL).field(Field::RIP, world::L2_STUB_EXIT);
        self.last().l2_log.push(L2Event { vector, error, rip });
        self
    }

    /// At the last exit, that field must have that value.
    #[inline(never)]
    pub fn field(mut self, field: Field, value: u64) -> Draft {
        self.last().vmcb.set(field, value);
        self
    }

    /// At the last exit, that field may have any value.
    pub fn field_open(mut self, field: Field) -> Draft {
        self.last().vmcb.forget(field);
        self
    }

    /// At the last exit, that register of L1 must have that value.
    #[inline(never)]
    pub fn host(mut self, register: HostReg, value: u64) -> Draft {
        self.last().host.set(register, value);
        self
    }

    /// At the last exit, RIP must be that of the program's `n`th instruction.
    #[inline(never)]
    pub fn at(self, n: usize) -> Draft {
        let rip = self.rip(n);
        self.field(Field::RIP, rip)
    }

    fn last(&mut self) -> &mut Exit {
        match self.expected.last_mut() {
            Some(Obs::Exit(exit)) => exit,
            other => unreachable!("an exit comes first, not {other:?}"),
        }
    }

    /// The case, its expectation, and what it is about, without which it is none.
    pub(crate) fn finish(self) -> Written {
        let about = self.about.unwrap_or_else(|| unreachable!("{} says no rule", self.case.id));
        Written { case: self.case, expect: Outcome { obs: self.expected }, about }
    }
}

/// Exception `vector` in L1, without an error code.
pub(crate) fn fault(vector: u8) -> Obs {
    Obs::L1Exception { vector, error: None }
}

/// #GP(0) in L1.
pub(crate) const GP: Obs = Obs::L1Exception { vector: 13, error: Some(0) };
