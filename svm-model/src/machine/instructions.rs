//! Instructions with an intercept of their own and little else.

use crate::arch::{control::TASK_BY_JUMP, cr0, cr4, flag, int_ctl, intercept};
use crate::case::insn::Insn;
use crate::cpu::CpuFeature;
use crate::features::intercepts::model as i;
use crate::features::vmexit::model::{NextRip, Reason};
use crate::machine::delivery::{Event, Kind};
use crate::machine::paging::Access;
use crate::machine::{Flow, Machine, Stop};
use crate::rules::{
    bus_lock as bus, decode_assists as da, idle_hlt as idle, intercepts as r, pause_filter as p,
    tsc_scale as tsc, virq,
};
use crate::vmcb::{Field, exit};

/// Bytes of a cache line.
const CACHE_LINE: u64 = 64;

impl Machine<'_> {
    /// Raises #GP for a privileged instruction outside CPL 0.
    pub(crate) fn privileged(&mut self) -> Flow {
        let user = self.r.cpl != 0;
        if self.t.rule(r::CPL_FIRST, user) {
            return Err(self.gp(0));
        }
        Ok(())
    }

    /// Raises #UD for an instruction that CPUID does not offer.
    pub(crate) fn offered(&mut self, feature: CpuFeature) -> Flow {
        let missing = !self.supported(feature);
        if self.t.rule(r::UD_FIRST, missing) {
            return Err(self.ud());
        }
        Ok(())
    }

    pub(crate) fn plain_instruction(&mut self, insn: &Insn) -> Flow {
        match insn {
            Insn::Cpuid => {
                self.intercept(&i::CPUID)?;
                self.forget(&[0, 1, 2, 3])
            }
            Insn::Rsm => {
                self.intercept(&i::RSM)?;
                Err(self.ud())
            }
            Insn::Invd => {
                self.privileged()?;
                self.intercept(&i::INVD)
            }
            Insn::Wbinvd | Insn::Wbnoinvd => {
                self.privileged()?;
                self.intercept(&i::WBINVD)
            }
            Insn::Pause => self.pause(),
            Insn::Hlt => self.hlt(),
            Insn::Rdtsc => self.rdtsc(),
            Insn::Rdtscp => {
                self.offered(CpuFeature::Rdtscp)?;
                self.tsd()?;
                self.intercept(&i::RDTSCP)?;
                self.unknown[1] = !0;
                self.read_tsc(tsc::OFFSET_RDTSCP)
            }
            Insn::Rdpmc => self.rdpmc(),
            Insn::Monitor => {
                self.offered(CpuFeature::Monitor)?;
                self.monitor_user()?;
                if self.operand(1)? != 0 {
                    return Err(self.gp(0));
                }
                self.intercept(&i::MONITOR)?;
                self.armed = true;
                Ok(())
            }
            Insn::Mwait => self.mwait(),
            Insn::Xsetbv => self.xsetbv(),
            Insn::Rdpru => {
                self.offered(CpuFeature::Rdpru)?;
                self.intercept(&i::RDPRU)?;
                if self.operand(1)? != 0 {
                    return Err(Stop::Open);
                }
                self.open_flags = true;
                self.forget(&[0, 2])
            }
            _ => Err(Stop::Open),
        }
    }

    fn tsd(&mut self) -> Flow {
        let forbidden = self.r.cpl != 0 && self.r.cr4 & cr4::TSD != 0;
        if self.t.rule(r::TSD_FIRST, forbidden) {
            return Err(self.gp(0));
        }
        Ok(())
    }

    fn rdtsc(&mut self) -> Flow {
        self.tsd()?;
        self.intercept(&i::RDTSC)?;
        self.read_tsc(tsc::OFFSET)
    }

    /// EDX:EAX become a time stamp below 2^48 plus the guest's offset.
    pub(crate) fn read_tsc(&mut self, rule: crate::rules::RuleId) -> Flow {
        let offset = self.guest.as_ref().map_or(0, |g| g.ctl.get(Field::TSC_OFFSET));
        if offset << 16 != 0 {
            // Low bits of the offset carry into what the model does not know.
            return self.forget(&[0, 2]);
        }
        let high = self.t.said(rule, offset >> 32);
        self.set_gpr(0, 0);
        self.set_gpr(2, high);
        (self.unknown[0], self.unknown[2]) = (0xffff_ffff, 0xffff);
        Ok(())
    }

    /// Registers get values that no case can rely on.
    fn forget(&mut self, gprs: &[usize]) -> Flow {
        gprs.iter().for_each(|gpr| self.unknown[*gpr] = !0);
        Ok(())
    }

    fn rdpmc(&mut self) -> Flow {
        let forbidden = self.r.cpl != 0 && self.r.cr4 & cr4::PCE == 0;
        if self.t.rule(r::PCE_FIRST, forbidden) {
            return Err(self.gp(0));
        }
        self.intercept(&i::RDPMC)?;
        if self.operand(1)? != 0 {
            return Err(Stop::Open);
        }
        self.forget(&[0, 2])
    }

    /// MONITOR and MWAIT outside CPL 0 are #UD while MonMwaitUserEn is clear.
    fn monitor_user(&mut self) -> Flow {
        if self.r.cpl == 0 { Ok(()) } else { Err(self.ud()) }
    }

    fn mwait(&mut self) -> Flow {
        self.offered(CpuFeature::Monitor)?;
        self.monitor_user()?;
        if self.operand(1)? != 0 {
            return Err(self.gp(0));
        }
        let armed = self.armed && self.wants(intercept::MWAIT_ARMED);
        if self.t.rule(r::MWAIT_ARMED, armed) {
            return self.exit(Reason::new(exit::MWAIT_ARMED, NextRip::Instruction));
        }
        self.intercept(&i::MWAIT)?;
        // Without an armed monitor it goes on at once.
        if self.armed { Err(Stop::Open) } else { Ok(()) }
    }

    fn xsetbv(&mut self) -> Flow {
        if self.r.cr4 & cr4::OSXSAVE == 0 {
            // Which comes first, #UD or the intercept, the manual does not say.
            let intercepted = self.wants(intercept::XSETBV);
            return Err(if intercepted { Stop::Open } else { self.ud() });
        }
        if self.t.does(r::XSETBV_FIRST) {
            self.intercept(&i::XSETBV)?;
        }
        self.privileged()?;
        let x87_alone = self.operand(0)? == 1 && self.operand(1)? == 0 && self.operand(2)? == 0;
        if x87_alone { Ok(()) } else { Err(Stop::Open) }
    }

    fn pause(&mut self) -> Flow {
        let wanted = self.wants(intercept::PAUSE);
        let Some(guest) = &mut self.guest else { return Ok(()) };
        let count = guest.ctl.get(Field::PAUSE_FILTER_COUNT);
        let t = &mut *self.t;
        if !t.rule(p::ZERO, count == 0)
            && t.rule(p::NEEDS_INTERCEPT, wanted)
            && t.rule(p::SUPPORTED, self.platform.features.has(CpuFeature::PauseFilter))
        {
            let threshold = self.platform.features.has(CpuFeature::PfThreshold);
            if threshold && guest.ctl.get(Field::PAUSE_FILTER_THRESHOLD) != 0 {
                // Whether two PAUSEs are close depends on time.
                return Err(Stop::Open);
            }
            if t.rule(p::COUNT, guest.pauses > 0) {
                guest.pauses -= 1;
                return Ok(());
            }
        }
        self.intercept(&i::PAUSE)
    }

    fn hlt(&mut self) -> Flow {
        self.privileged()?;
        if self.t.does(idle::HLT_FIRST) {
            self.intercept(&i::HLT)?;
        }
        self.idle_hlt()?;
        self.intercept(&i::HLT)?;
        if self.guest.is_none() {
            return Err(Stop::Open);
        }
        // HLT ends at once if something can be taken at the next boundary.
        self.r.shadow = false;
        let wakes = self.virtual_interrupt_ready() || self.physical_interrupt_ready().is_some();
        if wakes && self.t.does(virq::HLT_WAKES) { Ok(()) } else { Err(Stop::Open) }
    }

    /// The idle HLT intercept: nothing of the guest's own is pending.
    fn idle_hlt(&mut self) -> Flow {
        let Some(guest) = self.guest.as_ref().filter(|g| g.idle_hlt) else { return Ok(()) };
        let irq = guest.int(int_ctl::V_IRQ);
        let nmi = guest.vnmi && guest.int(int_ctl::V_NMI);
        if self.t.rule(idle::V_IRQ, irq) || self.t.rule(idle::V_NMI, nmi) {
            return Ok(());
        }
        self.intercept(&i::IDLE_HLT)
    }

    /// What becomes of an access of 8 bytes if it is a bus lock.
    pub(crate) fn bus_lock(&mut self, linear: u64, locked: bool) -> Flow {
        let Some(guest) = self.guest.as_mut().filter(|g| g.bus_lock) else { return Ok(()) };
        let split = self.t.rule(bus::SPLIT, linear % CACHE_LINE > CACHE_LINE - 8);
        if !split || !self.t.rule(bus::LOCKED, locked) {
            return Ok(());
        }
        if self.t.rule(bus::COUNT, guest.bus_locks > 0) {
            guest.bus_locks = guest.bus_locks.saturating_sub(1);
            return Ok(());
        }
        let info = self.t.said(bus::INFO, 0);
        let reason = Reason::new(exit::BUSLOCK, NextRip::None);
        if self.t.does(bus::EXIT) {
            return self.exit(Reason { info1: Some(info), info2: Some(info), ..reason });
        }
        Ok(())
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
        self.intercept(if *insn == Insn::Tlbsync { &i::TLBSYNC } else { &i::INVLPGB })?;
        // What they do without it is not SVM's.
        Err(Stop::Open)
    }

    pub(crate) fn invlpg(&mut self) -> Flow {
        self.privileged()?;
        let address = self.memory_operand()?;
        let info = self.decoded(da::INVLPG, address);
        self.intercept_with(&i::INVLPG, info)
    }

    /// A value that decode assists report, where they are offered.
    pub(crate) fn decoded(&mut self, rule: crate::rules::RuleId, value: u64) -> Option<u64> {
        let offered = self.supported(CpuFeature::DecodeAssists);
        let reported = self.t.rule(rule, offered);
        offered.then_some(if reported { value } else { !value })
    }

    pub(crate) fn invpcid(&mut self) -> Flow {
        self.offered(CpuFeature::Invpcid)?;
        self.privileged()?;
        if self.t.does(r::INVPCID_FIRST) {
            self.intercept(&i::INVPCID)?;
        }
        if self.operand(0)? > 3 { Err(self.gp(0)) } else { Ok(()) }
    }

    pub(crate) fn software_interrupt(&mut self, vector: u8) -> Flow {
        if self.guest.is_some() {
            let info = self.decoded(da::SWINT, vector.into());
            if self.t.does(r::SWINT_BEFORE_EXCEPTIONS) {
                self.intercept_with(&i::SWINT, info)?;
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
        self.intercept(&i::ICEBP)?;
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

    /// A far jump to an available task-state segment, in protected mode.
    pub(crate) fn task_jump(&mut self, selector: u16) -> Flow {
        let offset = u64::from(selector & !7);
        if self.r.long_mode() || self.guest.is_none() || offset + 7 > u64::from(self.r.gdtr.limit) {
            return Err(Stop::Open);
        }
        let at = self.translate(self.r.gdtr.base + offset, Access::SYSTEM_READ)?;
        let descriptor = self.mem.word(at);
        let available = descriptor >> 40 & 0x9f == 0x89;
        // The descriptor is checked before the intercept; what its #GP leads to is open.
        let privilege = descriptor >> 45 & 3 >= u64::from(selector & 3).max(self.r.cpl.into());
        let wanted = self.wants(intercept::TASK_SWITCH);
        if !(available && privilege && wanted && self.t.does(r::TASK_SWITCH)) {
            return Err(Stop::Open);
        }
        let resume = (self.r.rflags & flag::RF) << 32;
        let info2 = self.t.said(r::TASK_SWITCH_INFO, TASK_BY_JUMP | resume);
        self.exit(Reason {
            info1: Some(selector.into()),
            info2: Some(info2),
            ..Reason::new(exit::TASK_SWITCH, NextRip::None)
        })
    }

    /// DIV by RCX.
    pub(crate) fn divide(&mut self) -> Flow {
        // Only zero is of interest; a quotient is not computed.
        Err(if self.operand(1)? as u32 == 0 { Stop::Raise(Event::fault(0)) } else { Stop::Open })
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
        if rsp & 0xfff > 0xff8 {
            return Err(Stop::Open);
        }
        let pa = self.stack_address(rsp, Access::WRITE)?;
        self.mem.write(pa, 8, value);
        self.r.gpr[4] = rsp;
        Ok(())
    }

    /// A pop.
    pub(crate) fn stack_read(&mut self, rsp: u64) -> Flow<u64> {
        if !self.r.canonical(rsp) {
            return Err(Stop::Raise(Event::coded(12, 0)));
        }
        if rsp & 0xfff > 0xff8 {
            return Err(Stop::Open);
        }
        let pa = self.stack_address(rsp, Access::READ)?;
        Ok(self.mem.read(pa, 8))
    }

    fn stack_address(&mut self, rsp: u64, access: Access) -> Flow<u64> {
        if self.guest.is_none() { Ok(rsp) } else { self.translate(rsp, access) }
    }

    /// An exit that is no instruction intercept of the tables.
    pub(crate) fn exit_control<T>(&mut self, code: u64, info1: Option<u64>) -> Flow<T> {
        self.exit(Reason { info1, ..Reason::new(code, NextRip::CrDr) })
    }

    /// Whether RFLAGS.IF is set.
    pub(crate) fn interrupts_on(&self) -> bool {
        self.r.rflags & flag::IF != 0
    }

    /// The code of an MSR or I/O exit with its information.
    pub(crate) fn exit_permission<T>(
        &mut self,
        code: u64,
        info1: u64,
        info2: Option<u64>,
    ) -> Flow<T> {
        debug_assert!(matches!(code, exit::MSR | exit::IOIO));
        self.exit(Reason { info1: Some(info1), info2, ..Reason::new(code, NextRip::MsrIo) })
    }
}
