//! Writing a case down with few words.

use alloc::string::String;
use alloc::vec::Vec;

use crate::Feature;
use crate::case::{Case, Cpu, Event, Insn, Step, encode, world};
use crate::cpu::{CpuFeature, CpuSet};
use crate::vmcb::Field;

/// A case being written.
#[derive(Clone, Debug)]
pub struct Draft(Case);

impl Draft {
    /// A case of that id with an empty program and no steps.
    pub fn new(feature: Feature, id: impl Into<String>) -> Draft {
        let (cpu, program, steps) = (Cpu::default(), Vec::new(), Vec::new());
        Draft(Case { id: id.into(), feature, cpu, program, steps })
    }

    /// Needs CPU features.
    pub fn needs(mut self, features: &[CpuFeature]) -> Draft {
        self.0.cpu.needs = self.0.cpu.needs.union(CpuSet::of(features));
        self
    }

    /// Wants CPU features switched off.
    pub fn without(mut self, features: &[CpuFeature]) -> Draft {
        self.0.cpu.without = self.0.cpu.without.union(CpuSet::of(features));
        self
    }

    /// L2 executes that.
    pub fn program(mut self, insns: &[Insn]) -> Draft {
        self.0.program.extend_from_slice(insns);
        self
    }

    /// Sets a VMCB field.
    pub fn vmcb(self, field: Field, value: u64) -> Draft {
        self.step(Step::Vmcb(field, value))
    }

    /// Sets several VMCB fields.
    pub fn fields(self, fields: &[(Field, u64)]) -> Draft {
        fields.iter().fold(self, |draft, (field, value)| draft.vmcb(*field, *value))
    }

    /// Sets bits of VMCB intercept words on top of the baseline's.
    pub fn intercept(self, field: Field, bits: u64) -> Draft {
        self.vmcb(field, baseline(field) | bits)
    }

    /// Intercepts exceptions.
    pub fn intercept_exceptions(self, bits: u64) -> Draft {
        self.intercept(Field::INTERCEPT_EXCEPTIONS, bits)
    }

    /// L2 runs at CPL 3.
    pub fn user(self) -> Draft {
        self.fields(&[
            (Field::CPL, 3),
            (Field::CS_SELECTOR, world::L2_USER_CS.into()),
            (Field::CS_ATTRIB, 0xafb),
            (Field::SS_SELECTOR, world::L2_USER_DS.into()),
            (Field::SS_ATTRIB, 0xcf3),
        ])
    }

    /// Writes a quadword.
    pub fn poke(self, pa: u64, value: u64) -> Draft {
        self.step(Step::Mem { pa, width: 8, value })
    }

    /// Reads a quadword, observed.
    pub fn peek(self, pa: u64) -> Draft {
        self.step(Step::Peek { pa, width: 8 })
    }

    /// L1 does that.
    pub fn step(mut self, step: Step) -> Draft {
        self.0.steps.push(step);
        self
    }

    /// L1 executes an instruction with that RAX.
    pub fn l1(self, insn: Insn, rax: u64) -> Draft {
        self.step(Step::L1(insn, rax))
    }

    /// An event becomes pending.
    pub fn raise(self, event: Event) -> Draft {
        self.step(Step::Raise(event))
    }

    /// VMRUN of the usual VMCB.
    pub fn run(self) -> Draft {
        self.step(Step::Vmrun(world::VMCB))
    }

    /// L1 clears GIF.
    pub fn clgi(self) -> Draft {
        self.l1(Insn::Clgi, 0)
    }

    /// L1 sets GIF.
    pub fn stgi(self) -> Draft {
        self.l1(Insn::Stgi, 0)
    }

    /// The case.
    pub fn case(self) -> Case {
        self.0
    }

    /// VMRUN, and the case is done.
    pub fn done(self) -> Case {
        self.run().case()
    }
}

/// What the baseline VMCB has in a field.
pub(crate) fn baseline(field: Field) -> u64 {
    world::BASELINE.iter().find(|(f, _)| *f == field).map_or(0, |(_, value)| *value)
}

/// RIP of the `n`th instruction of a program, its loads skipped.
pub(crate) fn rip(program: &[Insn], n: usize) -> u64 {
    let before: usize = program.iter().take(n).map(|i| encode::length(i).total()).sum();
    let setup = program.get(n).map_or(0, |i| encode::length(i).setup);
    world::L2_CODE + (before + setup) as u64
}

/// `on` or `off`, for ids.
pub(crate) fn on(yes: bool) -> &'static str {
    if yes { "on" } else { "off" }
}
