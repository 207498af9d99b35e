//! Which executions and accesses meet a breakpoint register (vol. 2, 13.1.2 and 13.1.3).

use crate::arch::{cr4, debugctl, dr, flag};
use crate::case::world;
use crate::machine::delivery::Event;
use crate::machine::{Flow, Machine, Stop};
use crate::rules::{debug, vgif};

/// What a breakpoint register waits for, as R/W of DR7 says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Execution,
    Write,
    Io,
    Access,
}

/// A breakpoint register that DR7 enables.
#[derive(Clone, Copy)]
struct Breakpoint {
    condition: Condition,
    at: u64,
    bytes: u64,
}

impl Machine<'_> {
    /// Breakpoint register `n`, if it is enabled; open where the manual does not define it.
    fn breakpoint(&self, n: usize) -> Flow<Option<Breakpoint>> {
        if self.r.dr7 >> (2 * n) & 3 == 0 {
            return Ok(None);
        }
        let control = self.r.dr7 >> (16 + 4 * n) & 0xf;
        let bytes = [1, 2, 8, 4][(control >> 2) as usize];
        let (condition, defined) = match control & 3 {
            0 => (Condition::Execution, bytes == 1),
            1 => (Condition::Write, bytes < 8 || self.r.long_mode()),
            // Of what it waits for with DE clear nothing is said but that it is no port.
            2 => (Condition::Io, bytes < 8),
            _ => (Condition::Access, bytes < 8 || self.r.long_mode()),
        };
        let breakpoint = Breakpoint { condition, at: self.r.dr[n], bytes };
        if defined { Ok(Some(breakpoint)) } else { Err(Stop::Open) }
    }

    /// The bits in DR6 of the registers that such an access to these bytes meets.
    fn met(&mut self, wanted: &[Condition], first: u64, bytes: u64) -> Flow<u64> {
        let mut met = 0;
        if self.r.dr7 & 0xff == 0 {
            return Ok(met);
        }
        for n in 0..4 {
            let Some(breakpoint) = self.breakpoint(n)? else { continue };
            if !wanted.contains(&breakpoint.condition) {
                continue;
            }
            let low = self.t.said(debug::LENGTH, breakpoint.bytes - 1);
            let start = breakpoint.at & !low;
            if start <= first.wrapping_add(bytes - 1) && first <= start.wrapping_add(low) {
                met |= dr::DR6_B0 << n;
            }
        }
        Ok(met)
    }

    /// What is left of the registers that were met: none while GIF is clear.
    fn kept(&mut self, met: u64) -> u64 {
        let gif = self.gif;
        if met != 0 && self.t.rule(vgif::DISCARDS_BREAKPOINTS, !gif) { 0 } else { met }
    }

    /// #DB in front of an instruction that a register watches.
    pub(crate) fn execution_breakpoint(&mut self) -> Flow {
        let met = self.execution_met()?;
        let resume = self.r.rflags & flag::RF != 0;
        let met = self.kept(met);
        if met != 0 && self.t.rule(debug::EXEC_BREAKPOINT, !resume) {
            return Err(Stop::Raise(Event::debug(met)));
        }
        Ok(())
    }

    /// The registers that watch the instruction at RIP.
    pub(crate) fn execution_met(&mut self) -> Flow<u64> {
        let linear = self.linear_rip();
        self.met(&[Condition::Execution], linear, 1)
    }

    /// Bytes of memory are read or written: the trap comes behind the instruction.
    pub(crate) fn watch(&mut self, linear: u64, bytes: u64, write: bool) -> Flow {
        let mut met = self.met(&[Condition::Access], linear, bytes)?;
        let on_write = self.met(&[Condition::Write], linear, bytes)?;
        if on_write != 0 && self.t.rule(debug::WRITE_ONLY, write) {
            met |= on_write;
        }
        let met = self.kept(met);
        if self.r.dr7 & 0xff != 0 && self.t.rule(debug::DATA_BREAKPOINT, met != 0) {
            self.hits |= met;
        }
        Ok(())
    }

    /// Whether a register watches something that the stub at RIP executes, reads or writes.
    pub(crate) fn stub_is_watched(&mut self) -> Flow<bool> {
        if self.r.dr7 & 0xff == 0 {
            return Ok(false);
        }
        let data = [Condition::Write, Condition::Access];
        let (stack, rip) = (self.r.gpr[4].wrapping_sub(24), self.r.rip);
        let common = world::L2_STUB_EXIT + 0x100;
        let met = self.met(&data, stack, 40)?
            | self.met(&data, world::L2_LOG, 0x1000)?
            | self.met(&[Condition::Execution], rip + 1, 31)?
            | self.met(&[Condition::Execution], common, 0x100)?;
        Ok(self.kept(met) != 0)
    }

    /// A port is read or written, likewise.
    pub(crate) fn watch_port(&mut self, port: u16, bytes: u8) -> Flow {
        let met = self.met(&[Condition::Io], port.into(), bytes.into())?;
        let extensions = self.r.cr4 & cr4::DE != 0;
        let met = if met != 0 && self.t.rule(debug::IO_NEEDS_DE, !extensions) { 0 } else { met };
        let met = self.kept(met);
        if self.r.dr7 & 0xff != 0 && self.t.rule(debug::IO_BREAKPOINT, met != 0) {
            self.hits |= met;
        }
        Ok(())
    }

    /// The bits of DR6 of the trap behind an instruction, if there is one.
    pub(crate) fn trapped(&mut self, single_step: bool) -> u64 {
        let by_branch = self.r.branches.debugctl & debugctl::BTF != 0;
        let stepped = self.t.rule(debug::TF_TRAP, single_step)
            && (!by_branch || self.t.rule(debug::BTF, self.branched));
        let bits = self.hits | if stepped { dr::DR6_BS } else { 0 };
        self.hits = 0;
        // Other bits can be set along with BS: for what is watched next, or was met before.
        let next = self.execution_met().unwrap_or(0);
        if bits != 0 && next != 0 || stepped && self.r.dr6 & dr::DR6_B != 0 {
            self.open_dr6 = true;
        }
        bits
    }

    /// What a #DB, delivered or intercepted, has written.
    pub(crate) fn debug_status(&mut self, bits: u64) {
        if bits & (dr::DR6_B | dr::DR6_BD) != 0 {
            self.r.dr6 &= self.t.said(debug::DR6_UPDATED, !dr::DR6_B);
        }
        self.r.dr6 |= bits;
        let btf = self.r.branches.debugctl & debugctl::BTF;
        if btf != 0 && self.t.does(debug::BTF_CLEARED) {
            self.r.branches.debugctl &= !btf;
        }
    }
}
