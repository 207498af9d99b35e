//! Writing a case down with few words: the builder of every case, generated or written.
//!
//! Steps go in the order of the calls. What a written case expects is said right behind the step
//! that shows it ([`super::written`]).

use alloc::string::String;
use alloc::vec::Vec;

use super::written::About;
use super::{Board, Case, Cpu, Event, Insn, Step, encode, world};
use crate::Feature;
use crate::cpu::{CpuFeature, CpuSet};
use crate::outcome::Obs;
use crate::vmcb::Field;

/// A case being written.
#[derive(Clone, Debug)]
pub struct Draft {
    pub(super) case: Case,
    /// What must be observed, as far as it is said.
    pub(super) expected: Vec<Obs>,
    pub(super) about: Option<About>,
}

impl Draft {
    /// A case of that id with an empty program and no steps.
    pub fn new(feature: Feature, id: impl Into<String>) -> Draft {
        let (cpu, program, steps) = (Cpu::default(), Vec::new(), Vec::new());
        let case = Case { id: id.into(), feature, cpu, program, steps };
        Draft { case, expected: Vec::new(), about: None }
    }

    /// Skips the case where the CPU lacks one of those features.
    #[inline(never)]
    pub fn needs(mut self, features: &[CpuFeature]) -> Draft {
        self.case.cpu.needs = self.case.cpu.needs.union(CpuSet::of(features));
        self
    }

    /// Switches those features off.
    pub fn without(mut self, features: &[CpuFeature]) -> Draft {
        self.case.cpu.without = self.case.cpu.without.union(CpuSet::of(features));
        self
    }

    /// Runs the case on a machine with more than one CPU in it.
    pub fn on_large_board(mut self) -> Draft {
        self.case.cpu.board = Board::Large;
        self
    }

    /// L2 executes that, behind what it executes already.
    #[inline(never)]
    pub fn program(mut self, insns: &[Insn]) -> Draft {
        self.case.program.extend_from_slice(insns);
        self
    }

    /// L1 does that.
    #[inline(never)]
    pub fn step(mut self, step: Step) -> Draft {
        self.case.steps.push(step);
        self
    }

    /// Writes a VMCB field.
    #[inline(never)]
    pub fn set(self, field: Field, value: u64) -> Draft {
        self.step(Step::Vmcb(field, value))
    }

    /// Writes several VMCB fields.
    #[inline(never)]
    pub fn set_all(self, fields: &[(Field, u64)]) -> Draft {
        fields.iter().fold(self, |draft, (field, value)| draft.set(*field, *value))
    }

    /// Sets bits of a VMCB field.
    #[inline(never)]
    pub fn also(self, field: Field, bits: u64) -> Draft {
        let value = self.written(field) | bits;
        self.set(field, value)
    }

    /// Clears bits of a VMCB field.
    #[inline(never)]
    pub fn clear(self, field: Field, bits: u64) -> Draft {
        let value = self.written(field) & !bits;
        self.set(field, value)
    }

    /// What the steps so far, or the baseline, have written into a field.
    fn written(&self, field: Field) -> u64 {
        let written = self.case.steps.iter().rev().find_map(|step| match step {
            Step::Vmcb(f, value) if *f == field => Some(*value),
            _ => None,
        });
        written.unwrap_or_else(|| baseline(field))
    }

    /// Sets the intercept that leads to that exit code (see [`crate::vmcb::exit`]).
    #[inline(never)]
    pub fn intercept(self, code: u64) -> Draft {
        let field = match code {
            0x00..0x10 => Field::INTERCEPT_CR_READ,
            0x10..0x20 => Field::INTERCEPT_CR_WRITE,
            0x20..0x30 => Field::INTERCEPT_DR_READ,
            0x30..0x40 => Field::INTERCEPT_DR_WRITE,
            0x40..0x60 => Field::INTERCEPT_EXCEPTIONS,
            0x60..0x80 => Field::INTERCEPT_MISC1,
            0x80..0xa0 => Field::INTERCEPT_MISC2,
            _ => Field::INTERCEPT_MISC3,
        };
        // 32 exit codes a vector, or 16 where reads and writes share one.
        let bits = if code < 0x40 { 16 } else { 32 };
        self.also(field, 1 << (code % bits))
    }

    /// L2 runs at CPL 3.
    #[inline(never)]
    pub fn user(self) -> Draft {
        self.set_all(&[
            (Field::CPL, 3),
            (Field::CS_SELECTOR, world::L2_USER_CS.into()),
            (Field::CS_ATTRIB, 0xafb),
            (Field::SS_SELECTOR, world::L2_USER_DS.into()),
            (Field::SS_ATTRIB, 0xcf3),
        ])
    }

    /// Writes a quadword of memory.
    #[inline(never)]
    pub fn poke(self, pa: u64, value: u64) -> Draft {
        self.step(Step::Mem { pa, width: 8, value })
    }

    /// Writes a field of a VMCB that lies elsewhere.
    #[inline(never)]
    pub fn poke_field(self, vmcb: u64, field: Field, value: u64) -> Draft {
        let pa = vmcb + u64::from(field.offset());
        self.step(Step::Mem { pa, width: field.width(), value })
    }

    /// Reads a quadword, observed.
    #[inline(never)]
    pub fn peek(self, pa: u64) -> Draft {
        self.step(Step::Peek { pa, width: 8 })
    }

    /// Reads a field of a VMCB that lies elsewhere, observed.
    #[inline(never)]
    pub fn peek_field(self, vmcb: u64, field: Field) -> Draft {
        let pa = vmcb + u64::from(field.offset());
        self.step(Step::Peek { pa, width: field.width() })
    }

    /// Raises a physical event.
    #[inline(never)]
    pub fn raise(self, event: Event) -> Draft {
        self.step(Step::Raise(event))
    }

    /// L1 executes an instruction with that RAX.
    #[inline(never)]
    pub fn l1(self, insn: Insn, rax: u64) -> Draft {
        self.step(Step::L1(insn, rax))
    }

    /// L1 clears GIF.
    pub fn clgi(self) -> Draft {
        self.l1(Insn::Clgi, 0)
    }

    /// L1 sets GIF.
    pub fn stgi(self) -> Draft {
        self.l1(Insn::Stgi, 0)
    }

    /// VMRUN of the usual VMCB.
    #[inline(never)]
    pub fn run(self) -> Draft {
        self.step(Step::Vmrun(world::VMCB))
    }

    /// Where the program's `n`th instruction is, behind the moves that load its operands.
    pub fn rip(&self, n: usize) -> u64 {
        rip(&self.case.program, n)
    }

    /// The case.
    pub fn case(self) -> Case {
        self.case
    }

    /// VMRUN, and the case is done.
    #[inline(never)]
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
