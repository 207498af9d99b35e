//! STI, CLI, PUSHF, POPF and IRET.

use crate::arch::flag;
use crate::case::{Insn, world};
use crate::features::intercepts::table;
use crate::machine::registers::Segment;
use crate::machine::{Flow, Machine, Stop};
use crate::rules::virq;

impl Machine<'_> {
    pub(crate) fn flag_instruction(&mut self, insn: &Insn) -> Flow {
        match insn {
            Insn::Pushf => self.intercept(&table::PUSHF)?,
            Insn::Popf => self.intercept(&table::POPF)?,
            Insn::Iret => self.intercept(&table::IRET)?,
            _ => {}
        }
        if !self.r.mode64() {
            return Err(Stop::Open);
        }
        match insn {
            Insn::Sti => self.sti(),
            Insn::Cli => self.cli(),
            Insn::Pushf => self.push_value(self.r.rflags & !(flag::VM | flag::RF)),
            Insn::Popf => self.popf(),
            _ => self.iret(),
        }
    }

    fn io_privilege(&self) -> bool {
        u64::from(self.r.cpl) <= (self.r.rflags & flag::IOPL) >> 12
    }

    fn sti(&mut self) -> Flow {
        if !self.io_privilege() {
            return Err(self.gp(0));
        }
        let was = self.interrupts_on();
        self.r.rflags |= flag::IF;
        self.sti = self.t.rule(virq::STI_SHADOW, !was);
        Ok(())
    }

    fn cli(&mut self) -> Flow {
        if !self.io_privilege() {
            return Err(self.gp(0));
        }
        self.r.rflags &= !flag::IF;
        Ok(())
    }

    fn popf(&mut self) -> Flow {
        let popped = self.stack_read(self.r.gpr[4])?;
        self.r.gpr[4] = self.r.gpr[4].wrapping_add(8);
        self.load_flags(popped);
        Ok(())
    }

    /// RFLAGS from a stack image, as far as the CPL allows.
    fn load_flags(&mut self, image: u64) {
        let mut kept = flag::VM | flag::RF | !flag::ALL;
        if self.r.cpl != 0 {
            kept |= flag::IOPL;
        }
        if !self.io_privilege() {
            kept |= flag::IF;
        }
        // VIF and VIP are cleared or kept with virtual-8086 extensions only.
        kept |= 3 << 19;
        self.r.rflags = self.r.rflags & kept | image & !kept | flag::FIXED;
        self.r.rflags &= !flag::RF;
    }

    /// IRETQ within 64-bit mode.
    fn iret(&mut self) -> Flow {
        let rsp = self.r.gpr[4];
        let mut frame = [0; 5];
        for (n, value) in frame.iter_mut().enumerate() {
            *value = self.stack_read(rsp.wrapping_add(8 * n as u64))?;
        }
        let [rip, cs, rflags, new_rsp, ss] = frame;
        let stays = self.r.cpl == 0
            && cs == u64::from(world::L2_CS)
            && (ss == u64::from(world::L2_DS) || ss == 0)
            && self.r.rflags & flag::NT == 0
            && self.r.canonical(rip)
            && self.own_gdt();
        if !stays {
            return Err(Stop::Open);
        }
        self.unblock_nmi();
        self.load_flags(rflags);
        self.r.cs = Segment { selector: world::L2_CS, attrib: 0xa9b, limit: u32::MAX, base: 0 };
        self.r.gpr[4] = new_rsp;
        if ss == 0 {
            self.r.ss.selector = 0;
            return Err(Stop::Open);
        }
        self.r.ss = Segment { selector: world::L2_DS, attrib: 0xc93, limit: u32::MAX, base: 0 };
        self.next_rip = rip;
        self.branched = true;
        Ok(())
    }
}
