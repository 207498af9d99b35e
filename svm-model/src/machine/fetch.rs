//! Finding the instruction at RIP: the case's program, the VMMCALL after it,
//! or one of L2's exception stubs.

use crate::case::encode;
use crate::case::insn::{Gpr, Insn};
use crate::case::world::{L2_CODE, L2_STUB_EXIT, L2_STUBS};
use crate::machine::paging::Access;
use crate::machine::{Flow, Machine, Stop};

/// Where in the program the last instruction ended, so that the next is found at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor {
    offset: u64,
    index: usize,
}

impl Cursor {
    /// Starts from the top again.
    pub(crate) fn forget(&mut self) {
        *self = Cursor::default();
    }
}

/// What is at RIP.
#[derive(Clone, Copy)]
pub(crate) enum Fetched<'a> {
    /// A load in front of an instruction of the program: register, value.
    Move(Gpr, u64),
    /// An instruction.
    Insn(&'a Insn),
    /// The stub of that vector.
    Stub(u8),
}

impl<'a> Machine<'a> {
    /// The instruction at RIP and its length; faults as a fetch does.
    pub(crate) fn fetch(&mut self) -> Flow<(Fetched<'a>, u64)> {
        let linear = self.linear_rip();
        if self.r.mode64() && !self.r.canonical(linear) {
            return Err(self.gp(0));
        }
        let pa = self.translate(linear, Access::FETCH)?;
        let case = self.case;
        match pa {
            L2_STUBS..L2_STUB_EXIT if (pa - L2_STUBS) & 31 == 0 => {
                Ok((Fetched::Stub(((pa - L2_STUBS) / 32) as u8), 0))
            }
            L2_STUB_EXIT => Ok((Fetched::Insn(&Insn::Vmmcall), 3)),
            L2_CODE.. if self.mem.code_clean() => {
                self.locate(&case.program, pa - L2_CODE).ok_or(Stop::Open)
            }
            _ => Err(Stop::Open),
        }
    }

    /// CS base plus RIP, as far as the mode has bits.
    pub(crate) fn linear_rip(&self) -> u64 {
        if self.r.mode64() {
            self.r.rip
        } else {
            self.r.cs.base.wrapping_add(self.r.rip & 0xffff_ffff) & 0xffff_ffff
        }
    }

    /// The part of the program that begins at that offset.
    fn locate(&mut self, program: &'a [Insn], offset: u64) -> Option<(Fetched<'a>, u64)> {
        let (mut at, mut index) = (self.fetch.offset, self.fetch.index);
        if at > offset {
            (at, index) = (0, 0);
        }
        loop {
            let insn = program.get(index).unwrap_or(&Insn::Vmmcall);
            let length = encode::length(insn);
            let (setup, total) = (length.setup as u64, length.total() as u64);
            if at + setup == offset {
                self.fetch = Cursor { offset: at, index };
                let known = !matches!(insn, Insn::Raw(_));
                return known.then_some((Fetched::Insn(insn), length.body as u64));
            }
            if offset < at + setup {
                self.fetch = Cursor { offset: at, index };
                return self.locate_move(insn, offset - at);
            }
            if offset < at + total || index >= program.len() {
                return None;
            }
            (at, index) = (at + total, index + 1);
        }
    }

    fn locate_move(&self, insn: &Insn, offset: u64) -> Option<(Fetched<'a>, u64)> {
        // Outside 64-bit mode the loads are other instructions.
        if !self.r.mode64() {
            return None;
        }
        let mut at = 0;
        for load in encode::loads(insn).iter() {
            if at == offset {
                return Some((Fetched::Move(load.gpr, load.value), load.length()));
            }
            at += load.length();
        }
        None
    }
}
