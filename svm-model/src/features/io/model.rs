//! IN, OUT, INS, OUTS: the I/O permission map and EXITINFO (15.10).

use crate::arch::vmcb::Field;
use crate::arch::{exit, flag, intercept, ioio};
use crate::machine::paging::Access;
use crate::machine::{Flow, Machine, Stop};
use crate::rules::io;

/// Where a TSS says where its I/O map begins.
const TSS_MAP_BASE: u64 = 0x66;

/// A bit for each port of an access.
const fn ports(size: u8) -> u64 {
    if size < 16 { (1 << size) - 1 } else { 0xffff }
}

impl Machine<'_> {
    pub(crate) fn port_io(&mut self, input: bool, size: u8, port: u16) -> Flow {
        let port = if port > 0xff { self.r.gpr[2] as u16 } else { port };
        let size = self.port_size(size);
        let direction = if input { ioio::IN } else { 0 };
        self.io_allowed(port, size)?;
        self.io_map(port, size, direction)?;
        self.watch_port(port, size)?;
        // What a port answers is no matter of SVM; OUT to an unused port does nothing.
        if input {
            self.unknown[0] = !0;
        }
        Ok(())
    }

    /// Bytes of an access that is written down for 32-bit operands: in 16-bit code the same
    /// instruction, with its prefix or without, has the other size.
    fn port_size(&self, size: u8) -> u8 {
        match size {
            2 | 4 if self.r.narrow() => 6 - size,
            size => size,
        }
    }

    pub(crate) fn string_io(
        &mut self,
        input: bool,
        size: u8,
        _port: u16,
        count: Option<u64>,
    ) -> Flow {
        let port = self.r.gpr[2] as u16;
        let size = self.port_size(size);
        let segment = if input { 0 } else { 3 << ioio::SEGMENT_SHIFT };
        let mut string = self.t.said(io::IOIO_STRING, ioio::STRING);
        if count.is_some() {
            string |= ioio::REP;
        }
        if count.is_some() && self.operand(1)? == 0 {
            return Err(Stop::Open);
        }
        let direction = if input { ioio::IN } else { 0 };
        self.io_allowed(port, size)?;
        self.io_map(port, size, direction | string | segment)?;
        Err(Stop::Open)
    }

    /// IOPL, and where that does not do the I/O map of the TSS (vol. 2, 12.2.4).
    fn io_allowed(&mut self, port: u16, size: u8) -> Flow {
        let iopl = (self.r.rflags & flag::IOPL) >> 12;
        let forbidden = u64::from(self.r.cpl) > iopl && !self.tss_allows(port, size)?;
        if self.t.rule(io::IOIO_IOPL_FIRST, forbidden) {
            return Err(self.gp(0));
        }
        Ok(())
    }

    /// Whether the I/O map of the TSS has those ports' bits clear.
    fn tss_allows(&mut self, port: u16, size: u8) -> Flow<bool> {
        let (base, limit) = (self.r.hidden.tr.base, u64::from(self.r.hidden.tr.limit));
        if limit < TSS_MAP_BASE + 1 {
            return Ok(false);
        }
        let map = self.system_read(base.wrapping_add(TSS_MAP_BASE), 2)?;
        let at = map + u64::from(port) / 8;
        if at + 1 > limit {
            return Ok(false);
        }
        let bits = self.system_read(base.wrapping_add(at), 2)? >> (port % 8);
        Ok(bits & ports(size) == 0)
    }

    fn system_read(&mut self, linear: u64, width: u8) -> Flow<u64> {
        let pa = self.translate(linear, Access::SYSTEM_READ)?;
        Ok(self.mem.read(pa, width))
    }

    fn io_map(&mut self, port: u16, size: u8, details: u64) -> Flow {
        let wanted = self.wants(intercept::IOIO_PROT);
        if self.guest.is_none() || !self.t.rule(io::IOIO_PROT, wanted) {
            return Ok(());
        }
        let map = self.map_base(Field::IOPM_BASE_PA);
        let bits = self.mem.read(map + u64::from(port) / 8, 2) >> (port % 8);
        let first = self.t.rule(io::IOIO_BIT, bits & 1 == 1);
        let more = size > 1 && self.t.rule(io::IOIO_SPAN, bits & ports(size) & !1 != 0);
        if !first && !more {
            return Ok(());
        }
        let info1 = details
            | u64::from(size) << ioio::SIZE_SHIFT
            | ioio::ADDRESS_64
            | u64::from(port) << ioio::PORT_SHIFT;
        let info1 = self.t.said(io::IOIO_INFO1, info1);
        let info2 = self.t.said(io::IOIO_INFO2, self.next_rip);
        // The address size of a port that is no memory operand is not described outside 64-bit mode.
        let info1 = self.r.mode64().then_some(info1);
        self.exit_permission(exit::IOIO, info1, Some(info2))
    }
}
