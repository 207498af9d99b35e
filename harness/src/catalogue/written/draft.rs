//! Writing a case and its expectation side by side.

use svm_model::Feature;
use svm_model::case::{Board, Case, Cpu, Event, Insn, Step, encode, world};
use svm_model::cpu::{CpuFeature, CpuSet};
use svm_model::outcome::{Exit, L2Event, Obs, Outcome};
use svm_model::snapshot::HostReg;
use svm_model::vmcb::{Field, exit};

use super::Written;

/// A case being written: steps go in the order of the calls, and what each must
/// show is said right behind it.
#[derive(Clone, Debug)]
pub struct Draft {
    case: Case,
    obs: Vec<Obs>,
    section: &'static str,
}

impl Draft {
    /// A case of that id and feature, from that section of APM volume 2.
    pub fn new(id: impl Into<String>, feature: Feature, section: &'static str) -> Self {
        let case = Case {
            id: id.into(),
            feature,
            cpu: Cpu::default(),
            program: Vec::new(),
            steps: Vec::new(),
        };
        Draft { case, obs: Vec::new(), section }
    }

    /// Skips the case where the CPU lacks that feature.
    pub fn needs(mut self, feature: CpuFeature) -> Self {
        self.case.cpu.needs = self.case.cpu.needs.with(feature);
        self
    }

    /// Switches that feature off.
    pub fn without(mut self, feature: CpuFeature) -> Self {
        self.case.cpu.without = CpuSet::with(self.case.cpu.without, feature);
        self
    }

    /// Runs the case on a machine with more than one CPU in it.
    pub fn on_large_board(mut self) -> Self {
        self.case.cpu.board = Board::Large;
        self
    }

    /// L2's program.
    pub fn program(mut self, insns: &[Insn]) -> Self {
        self.case.program = insns.to_vec();
        self
    }

    /// A step that shows nothing.
    pub fn step(mut self, step: Step) -> Self {
        self.case.steps.push(step);
        self
    }

    /// Writes a VMCB field.
    pub fn set(self, field: Field, value: u64) -> Self {
        self.step(Step::Vmcb(field, value))
    }

    /// Sets bits of a VMCB field.
    pub fn also(self, field: Field, bits: u64) -> Self {
        let value = self.value(field) | bits;
        self.set(field, value)
    }

    /// Sets the intercept that leads to that exit code (see [`exit`]).
    pub fn intercept(self, code: u64) -> Self {
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

    /// Clears bits of a VMCB field.
    pub fn clear(self, field: Field, bits: u64) -> Self {
        let value = self.value(field) & !bits;
        self.set(field, value)
    }

    /// What the steps so far, or the baseline, have written into a field.
    fn value(&self, field: Field) -> u64 {
        let written = self.case.steps.iter().rev().find_map(|step| match step {
            Step::Vmcb(f, value) if *f == field => Some(*value),
            _ => None,
        });
        let baseline = || world::BASELINE.iter().find(|(f, _)| *f == field).map(|(_, v)| *v);
        written.or_else(baseline).unwrap_or(0)
    }

    /// Writes 8 bytes of memory.
    pub fn mem(self, pa: u64, value: u64) -> Self {
        self.step(Step::Mem { pa, width: 8, value })
    }

    /// Reads 8 bytes of memory, which must be `value`.
    pub fn peek(self, pa: u64, value: u64) -> Self {
        self.step(Step::Peek { pa, width: 8 }).shows(Obs::Value(value))
    }

    /// Writes a field of a VMCB that lies elsewhere.
    pub fn mem_field(self, vmcb: u64, field: Field, value: u64) -> Self {
        let pa = vmcb + u64::from(field.offset());
        self.step(Step::Mem { pa, width: field.width(), value })
    }

    /// Reads a field of a VMCB that lies elsewhere, which must be `value`.
    pub fn peek_field(self, vmcb: u64, field: Field, value: u64) -> Self {
        let pa = vmcb + u64::from(field.offset());
        self.step(Step::Peek { pa, width: field.width() }).shows(Obs::Value(value))
    }

    /// Raises a physical event.
    pub fn raise(self, event: Event) -> Self {
        self.step(Step::Raise(event))
    }

    /// L1 executes an instruction.
    pub fn l1(self, insn: Insn, rax: u64) -> Self {
        self.step(Step::L1(insn, rax))
    }

    /// VMRUN of the usual VMCB.
    pub fn run(self) -> Self {
        self.step(Step::Vmrun(world::VMCB))
    }

    /// L2 runs at CPL 3.
    pub fn user(self) -> Self {
        self.set(Field::CPL, 3)
            .set(Field::CS_SELECTOR, world::L2_USER_CS.into())
            .set(Field::CS_ATTRIB, 0xafb)
            .set(Field::SS_SELECTOR, world::L2_USER_DS.into())
            .set(Field::SS_ATTRIB, 0xcf3)
    }

    /// That must be observed next.
    pub fn shows(mut self, obs: Obs) -> Self {
        self.obs.push(obs);
        self
    }

    /// VMRUN must come back with that exit code; L1 must be as it was, save
    /// what [`Draft::host`] says, and nothing was being delivered, save what
    /// [`Draft::field`] says.
    pub fn exits(self, code: u64) -> Self {
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
    pub fn ends(self) -> Self {
        let at = self.case.program.len();
        self.exits(exit::VMMCALL).at(at)
    }

    /// VMRUN must come back because L2 took this exception or interrupt itself.
    pub fn takes(mut self, vector: u8, error: u32, rip: u64) -> Self {
        self = self.exits(exit::VMMCALL).field(Field::RIP, world::L2_STUB_EXIT);
        self.last().l2_log.push(L2Event { vector, error, rip });
        self
    }

    /// At the last exit, that field must have that value.
    pub fn field(mut self, field: Field, value: u64) -> Self {
        self.last().vmcb.set(field, value);
        self
    }

    /// At the last exit, that field may have any value.
    pub fn vmcb_open(mut self, field: Field) -> Self {
        self.last().vmcb.forget(field);
        self
    }

    /// At the last exit, that register of L1 must have that value.
    pub fn host(mut self, register: HostReg, value: u64) -> Self {
        self.last().host.set(register, value);
        self
    }

    /// At the last exit, RIP must be that of the program's `n`th instruction.
    pub fn at(self, n: usize) -> Self {
        let rip = self.rip(n);
        self.field(Field::RIP, rip)
    }

    /// Where the program's `n`th instruction is, behind the moves that load its operands.
    pub fn rip(&self, n: usize) -> u64 {
        let before = &self.case.program[..n];
        let start: usize = before.iter().map(|i| encode::length(i).total()).sum();
        let setup = self.case.program.get(n).map_or(0, |i| encode::length(i).setup);
        world::L2_CODE + (start + setup) as u64
    }

    fn last(&mut self) -> &mut Exit {
        match self.obs.last_mut() {
            Some(Obs::Exit(exit)) => exit,
            other => unreachable!("an exit comes first, not {other:?}"),
        }
    }

    /// The case and its expectation.
    pub fn finish(self) -> Written {
        Written { case: self.case, expect: Outcome { obs: self.obs }, section: self.section }
    }
}

/// Exception `vector` in L1, without an error code.
pub(super) fn fault(vector: u8) -> Obs {
    Obs::L1Exception { vector, error: None }
}

/// #GP(0) in L1.
pub(super) const GP: Obs = Obs::L1Exception { vector: 13, error: Some(0) };
