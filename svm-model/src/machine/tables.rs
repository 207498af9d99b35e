//! Descriptor-table and segment-register instructions (15.9).

use crate::case::{Insn, world};
use crate::features::intercepts::table;
use crate::machine::paging::Access;
use crate::machine::registers::Table;
use crate::machine::{Flow, Machine, Stop};

impl Machine<'_> {
    /// SIDT, SGDT, SLDT, STR.
    pub(crate) fn store_table(&mut self, insn: &Insn) -> Flow {
        if matches!(insn, Insn::Sldt(_) | Insn::Str(_)) {
            self.protected_mode()?;
        }
        self.umip()?;
        match *insn {
            Insn::Sidt => {
                self.intercept(&table::SIDT)?;
                self.store_pseudo_descriptor(self.r.idtr)
            }
            Insn::Sgdt => {
                self.intercept(&table::SGDT)?;
                self.store_pseudo_descriptor(self.r.gdtr)
            }
            Insn::Sldt(gpr) => {
                self.intercept(&table::SLDT)?;
                self.set_sized(gpr, self.r.hidden.ldtr.selector.into());
                Ok(())
            }
            Insn::Str(gpr) => {
                self.intercept(&table::STR)?;
                self.set_sized(gpr, self.r.hidden.tr.selector.into());
                Ok(())
            }
            _ => Err(Stop::Open),
        }
    }

    fn store_pseudo_descriptor(&mut self, table: Table) -> Flow {
        let at = self.table_address(self.r.gpr[3], Access::WRITE)?;
        let width = self.base_width();
        self.watch(self.r.gpr[3], 2 + u64::from(width), true)?;
        self.mem.write(at, 2, table.limit.into());
        self.mem.write(at + 2, width, table.base);
        Ok(())
    }

    fn table_address(&mut self, linear: u64, access: Access) -> Flow<u64> {
        // Addresses of 16 bits are made of other registers.
        if linear & 0xfff > 0xff0 || !self.r.mode64() && !self.r.flat32() {
            return Err(Stop::Open);
        }
        if self.guest.is_none() { Ok(linear) } else { self.translate(linear, access) }
    }

    /// LIDT, LGDT, LLDT, LTR.
    pub(crate) fn load_table(&mut self, insn: &Insn) -> Flow {
        if matches!(insn, Insn::Lldt(_) | Insn::Ltr(_)) {
            self.protected_mode()?;
        }
        self.privileged()?;
        match *insn {
            Insn::Lidt => {
                self.intercept(&table::LIDT)?;
                self.r.idtr = self.load_pseudo_descriptor()?;
                Ok(())
            }
            Insn::Lgdt => {
                self.intercept(&table::LGDT)?;
                self.r.gdtr = self.load_pseudo_descriptor()?;
                Ok(())
            }
            Insn::Lldt(gpr) => {
                let selector = self.operand(gpr)? as u16;
                self.intercept(&table::LLDT)?;
                if selector & !3 != 0 {
                    return Err(Stop::Open);
                }
                self.r.hidden.ldtr.selector = selector;
                Ok(())
            }
            Insn::Ltr(gpr) => self.ltr(gpr),
            _ => Err(Stop::Open),
        }
    }

    fn load_pseudo_descriptor(&mut self) -> Flow<Table> {
        let at = self.table_address(self.r.gpr[3], Access::READ)?;
        let width = self.base_width();
        self.watch(self.r.gpr[3], 2 + u64::from(width), false)?;
        Ok(Table { limit: self.mem.read(at, 2) as u32, base: self.mem.read(at + 2, width) })
    }

    /// Bytes of a base in memory.
    fn base_width(&self) -> u8 {
        if self.r.mode64() { 8 } else { 4 }
    }

    fn ltr(&mut self, gpr: u8) -> Flow {
        let selector = self.operand(gpr)? as u16;
        self.intercept(&table::LTR)?;
        if selector & !3 == 0 {
            return Err(self.gp(0));
        }
        // Only the world's own TSS, which is busy already.
        if selector & !3 == world::L2_TR { Err(self.gp(selector.into())) } else { Err(Stop::Open) }
    }
}
