//! Instructions with an intercept of their own and little else.

use crate::arch::cpu::CpuFeature;
use crate::arch::{cr0, cr4, exit, flag, intercept};
use crate::case::Insn;
use crate::features::intercepts::table;
use crate::features::nrip::model::NextRip;
use crate::features::vmexit::model::Reason;
use crate::machine::delivery::{Event, Kind};
use crate::machine::paging::Access;
use crate::machine::{Flow, Machine, Stop};
use crate::rules::{decode_assists, intercepts, tsc_scale};

/// Performance counters that every processor has, and RDPMC reads (vol. 2, 13.2.1).
const COUNTERS: u32 = 4;

impl Machine<'_> {
    pub(crate) fn plain_instruction(&mut self, insn: &Insn) -> Flow {
        match insn {
            Insn::Cpuid => {
                self.intercept(&table::CPUID)?;
                self.forget(&[0, 1, 2, 3])
            }
            Insn::Rsm => {
                self.intercept(&table::RSM)?;
                Err(self.ud())
            }
            Insn::Invd => {
                self.privileged()?;
                self.intercept(&table::INVD)
            }
            Insn::Wbinvd | Insn::Wbnoinvd => {
                self.privileged()?;
                self.intercept(&table::WBINVD)
            }
            Insn::Pause => self.pause(),
            Insn::Hlt => self.hlt(),
            Insn::Rdtsc => self.rdtsc(),
            Insn::Rdtscp => {
                self.offered(CpuFeature::Rdtscp)?;
                self.tsd()?;
                self.intercept(&table::RDTSCP)?;
                self.unknown[1] = !0;
                self.read_tsc(tsc_scale::OFFSET_RDTSCP)
            }
            Insn::Rdpmc => self.rdpmc(),
            Insn::Monitor => {
                self.offered(CpuFeature::Monitor)?;
                self.monitor_user()?;
                if self.operand(1)? as u32 != 0 {
                    return Err(self.gp(0));
                }
                if self.t.does(intercepts::MONITOR_MEMORY_FIRST) {
                    self.monitor_operand()?;
                }
                self.intercept(&table::MONITOR)?;
                self.armed = true;
                Ok(())
            }
            Insn::Mwait => self.mwait(),
            Insn::Xsetbv => self.xsetbv(),
            Insn::Rdpru => {
                self.offered(CpuFeature::Rdpru)?;
                self.intercept(&table::RDPRU)?;
                if self.operand(1)? as u32 != 0 {
                    return Err(Stop::Open);
                }
                self.open_flags = true;
                self.forget(&[0, 2])
            }
            _ => Err(Stop::Open),
        }
    }

    /// Registers get values that no case can rely on.
    pub(crate) fn forget(&mut self, gprs: &[usize]) -> Flow {
        gprs.iter().for_each(|gpr| self.unknown[*gpr] = !0);
        Ok(())
    }

    fn rdpmc(&mut self) -> Flow {
        let forbidden = self.r.cpl != 0 && self.r.cr4 & cr4::PCE == 0;
        if self.t.rule(intercepts::PCE_FIRST, forbidden) {
            return Err(self.gp(0));
        }
        let counter = self.operand(1)? as u32;
        if self.t.rule(intercepts::RDPMC_COUNTER_FIRST, counter >= COUNTERS) {
            return Err(self.gp(0));
        }
        self.intercept(&table::RDPMC)?;
        self.forget(&[0, 2])
    }

    /// MONITOR and MWAIT outside CPL 0 are #UD while MonMwaitUserEn is clear.
    fn monitor_user(&mut self) -> Flow {
        if self.r.cpl == 0 { Ok(()) } else { Err(self.ud()) }
    }

    /// MONITOR checks its operand as a load of one byte does.
    fn monitor_operand(&mut self) -> Flow {
        let address = self.operand(0)?;
        if self.r.mode64() {
            self.canonical_operand(address)?;
        } else if !self.r.flat32() {
            // With addresses of 16 bits it is another one.
            return Err(Stop::Open);
        }
        let linear = if self.r.mode64() { address } else { address & 0xffff_ffff };
        self.byte_address(linear, Access::READ).map(drop)
    }

    fn mwait(&mut self) -> Flow {
        self.offered(CpuFeature::Monitor)?;
        self.monitor_user()?;
        if self.operand(1)? as u32 != 0 {
            return Err(self.gp(0));
        }
        let armed = self.armed && self.wants(intercept::MWAIT_ARMED);
        if self.t.rule(intercepts::MWAIT_ARMED, armed) {
            return self.exit(Reason::new(exit::MWAIT_ARMED, NextRip::Instruction));
        }
        self.intercept(&table::MWAIT)?;
        // Without an armed monitor it goes on at once.
        if self.armed { Err(Stop::Open) } else { Ok(()) }
    }

    fn xsetbv(&mut self) -> Flow {
        if self.r.cr4 & cr4::OSXSAVE == 0 {
            // Which comes first, #UD or the intercept, the manual does not say.
            let intercepted = self.wants(intercept::XSETBV);
            return Err(if intercepted { Stop::Open } else { self.ud() });
        }
        if self.t.does(intercepts::XSETBV_FIRST) {
            self.intercept(&table::XSETBV)?;
        }
        self.privileged()?;
        let x87_alone = self.operand(0)? == 1 && self.operand(1)? == 0 && self.operand(2)? == 0;
        if x87_alone { Ok(()) } else { Err(Stop::Open) }
    }

    /// INVLPGB, TLBSYNC and MCOMMIT.
    pub(crate) fn broadcast(&mut self, insn: &Insn) -> Flow {
        if *insn == Insn::Mcommit {
            self.offered(CpuFeature::Mcommit)?;
            // Table 15-7 leaves out where its intercept stands to EFER's #UD.
            return Err(Stop::Open);
        }
        self.offered(CpuFeature::Invlpgb)?;
        self.privileged()?;
        self.intercept(if *insn == Insn::Tlbsync { &table::TLBSYNC } else { &table::INVLPGB })?;
        // What they do without it is not SVM's.
        Err(Stop::Open)
    }

    pub(crate) fn invlpg(&mut self) -> Flow {
        self.privileged()?;
        let address = self.memory_operand()?;
        let info = if self.r.mode64() {
            self.decoded(decode_assists::INVLPG, address)
        } else {
            // Addresses of 16 bits are made of other registers.
            self.r.flat32().then_some(address & 0xffff_ffff)
        };
        self.intercept_with(&table::INVLPG, info)
    }

    pub(crate) fn invpcid(&mut self) -> Flow {
        self.offered(CpuFeature::Invpcid)?;
        self.privileged()?;
        if self.t.does(intercepts::INVPCID_FIRST) {
            self.intercept(&table::INVPCID)?;
        }
        if self.operand(0)? > 3 { Err(self.gp(0)) } else { Ok(()) }
    }

    pub(crate) fn software_interrupt(&mut self, vector: u8) -> Flow {
        if self.guest.is_some() {
            let info = self.decoded(decode_assists::SWINT, vector.into());
            if self.t.does(intercepts::SWINT_BEFORE_EXCEPTIONS) {
                self.intercept_with(&table::SWINT, info)?;
            }
        }
        let event =
            Event { return_rip: Some(self.next_rip), ..Event::new(vector, Kind::SoftInterrupt) };
        Err(Stop::Raise(event))
    }

    pub(crate) fn software_exception(&mut self, vector: u8) -> Flow {
        let event =
            Event { return_rip: Some(self.next_rip), ..Event::new(vector, Kind::SoftException) };
        Err(Stop::Raise(event))
    }

    pub(crate) fn icebp(&mut self) -> Flow {
        self.intercept(&table::ICEBP)?;
        let event = Event { return_rip: Some(self.next_rip), ..Event::new(1, Kind::Icebp) };
        Err(Stop::Raise(event))
    }

    /// INTO: #UD in 64-bit mode, #OF where OF is set.
    pub(crate) fn overflow(&mut self) -> Flow {
        if self.r.mode64() {
            return Err(self.ud());
        }
        if self.r.rflags & flag::OF == 0 { Ok(()) } else { self.software_exception(4) }
    }

    /// DIV by RCX.
    pub(crate) fn divide(&mut self) -> Flow {
        // Only zero is of interest; a quotient is not computed.
        let size = if self.r.narrow() { 0xffff } else { 0xffff_ffff };
        Err(if self.operand(1)? & size == 0 { Stop::Raise(Event::fault(0)) } else { Stop::Open })
    }

    /// An x87 instruction: #NM where CR0 asks for it.
    pub(crate) fn fnop(&mut self) -> Flow {
        if self.r.cr0 & (cr0::EM | cr0::TS) != 0 {
            return Err(Stop::Raise(Event::fault(7)));
        }
        Ok(())
    }

    /// A push of PUSHF, or of another instruction that stores to the stack.
    pub(crate) fn push_value(&mut self, value: u64) -> Flow {
        let rsp = self.r.gpr[4].wrapping_sub(8);
        if !self.r.canonical(rsp) {
            return Err(Stop::Raise(Event::coded(12, 0)));
        }
        if rsp & 0xfff > 0xff8 || self.misaligned(rsp) {
            return Err(Stop::Open);
        }
        let pa = self.stack_address(rsp, Access::WRITE)?;
        self.watch(rsp, 8, true)?;
        self.mem.write(pa, 8, value);
        self.r.gpr[4] = rsp;
        Ok(())
    }

    /// A pop.
    pub(crate) fn stack_read(&mut self, rsp: u64) -> Flow<u64> {
        if !self.r.canonical(rsp) {
            return Err(Stop::Raise(Event::coded(12, 0)));
        }
        if rsp & 0xfff > 0xff8 || self.misaligned(rsp) {
            return Err(Stop::Open);
        }
        let pa = self.stack_address(rsp, Access::READ)?;
        self.watch(rsp, 8, false)?;
        Ok(self.mem.read(pa, 8))
    }

    fn stack_address(&mut self, rsp: u64, access: Access) -> Flow<u64> {
        if self.guest.is_none() { Ok(rsp) } else { self.translate(rsp, access) }
    }

    /// Whether RFLAGS.IF is set.
    pub(crate) fn interrupts_on(&self) -> bool {
        self.r.rflags & flag::IF != 0
    }

    /// The code of an MSR or I/O exit with its information.
    pub(crate) fn exit_permission<T>(
        &mut self,
        code: u64,
        info1: Option<u64>,
        info2: Option<u64>,
    ) -> Flow<T> {
        debug_assert!(matches!(code, exit::MSR | exit::IOIO));
        self.exit(Reason { info1, info2, ..Reason::new(code, NextRip::MsrIo) })
    }
}
