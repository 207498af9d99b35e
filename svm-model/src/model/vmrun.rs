//! VMRUN: its operand, the switch to the guest, the guest's course (15.5).

use super::event::{Event, Kind};
use super::guest::{Guest, int_ctl};
use super::regs::{self, Regs, Table, cr0, dr, efer, flag, sign_extend};
use super::vmexit::bit;
use super::{Flow, Machine, Stop};
use crate::case::world;
use crate::cpu::CpuFeature;
use crate::rules::{
    bus_lock, event_injection as inj, gmet, idle_hlt, lbrv, npt, spec_ctrl, tlb_asid, vgif,
    vmexit as x, vmload_vmsave as vls, vmrun as r, vmrun_state as s, vnmi,
};
use crate::vmcb::{Field, Image, exit};

/// What a refused VMRUN reports nothing of.
const INVALID_OPEN: u128 = bit(Field::EXITINFO1)
    | bit(Field::EXITINFO2)
    | bit(Field::EXITINTINFO)
    | bit(Field::NRIP)
    | bit(Field::INSN_LEN)
    | bit(Field::INSN_BYTES_0)
    | bit(Field::INSN_BYTES_8);

impl Machine<'_> {
    /// VMRUN in L1: comes back after #VMEXIT, or raises an exception.
    pub(super) fn vmrun(&mut self, rax: u64) -> Flow {
        if self.t.rule(r::SVME_UD, self.r.efer & efer::SVME == 0) {
            return Err(self.ud());
        }
        if self.t.rule(r::RAX_ALIGNED, rax & 0xfff != 0) {
            return Err(self.gp(0));
        }
        let outside = !self.physical(rax);
        if self.t.rule(r::RAX_PHYS, outside) {
            return Err(self.gp(0));
        }
        // A broken rule looks elsewhere.
        let rax = if self.t.does(s::VMCB_OWN_PAGE) { rax } else { world::VMCB2 };
        let v = self.mem.image(rax);
        self.open_fields = 0;
        self.open_host = 0;
        let carried = self.carry(rax)?;
        self.armed = false;
        self.budget = super::BUDGET;
        if !self.consistent(&v) {
            return self.refuse(rax, carried);
        }
        self.enter(rax, v);
        match self.run_guest() {
            Err(Stop::Exit) if self.t.does(x::HOST_RSP_RIP) => Ok(()),
            Err(Stop::Exit) => Err(Stop::Open),
            Err(stop) => Err(stop),
            Ok(()) => Err(Stop::Open),
        }
    }

    /// What an earlier #VMEXIT left open in this VMCB is open in the guest.
    fn carry(&mut self, vmcb: u64) -> Flow<u128> {
        let carried = if self.carried.0 == vmcb { self.carried.1 } else { 0 };
        let open = |field| carried & bit(field) != 0;
        if open(Field::CR0) {
            // After a shutdown all of it is.
            return Err(Stop::Open);
        }
        self.null_ss = open(Field::SS_ATTRIB);
        self.open_flags = open(Field::RFLAGS);
        self.open_branches = open(Field::BR_FROM);
        self.unknown[0] = if open(Field::RAX) { !0 } else { 0 };
        Ok(carried)
    }

    /// #VMEXIT(VMEXIT_INVALID): nothing of the guest has been loaded.
    fn refuse(&mut self, vmcb: u64, carried: u128) -> Flow {
        self.mem.set_field(vmcb, Field::EXITCODE, exit::INVALID);

        if self.t.does(r::INVALID_EVENTINJ) {
            self.mem.set_field(vmcb, Field::EVENTINJ, 0);
        }
        if !self.t.does(r::INVALID_SAVE_AREA) {
            self.mem.set_field(vmcb, Field::RIP, self.r.rip);
        }
        if self.t.does(r::INVALID_GIF) {
            self.gif = false;
        }
        self.open_fields = INVALID_OPEN | carried;
        if self.t.does(x::HOST_DR7) {
            self.r.dr7 = dr::DR7_ONES;
        }
        Ok(())
    }

    /// Saves the host and loads the guest.
    pub(super) fn enter(&mut self, vmcb_pa: u64, v: Image) {
        let host = self.r.clone();
        let host_branches = self.r.branches;
        self.load_guest(&v);
        self.guest = Some(self.activate(vmcb_pa, v, host, host_branches));
        self.walks = super::paging::Walks::NONE;
        self.load_features();
        self.flush();
        if self.t.does(s::SETS_GIF) {
            self.gif = true;
        }
    }

    /// Drops the translations that TLB_CONTROL names.
    fn flush(&mut self) {
        let Some(guest) = &self.guest else { return };
        let asid = guest.ctl.get(Field::GUEST_ASID);
        let control = guest.ctl.get(Field::TLB_CONTROL);
        let by_asid = self.platform.features.has(CpuFeature::FlushByAsid);
        let known = matches!(control, 0 | 1) || by_asid && matches!(control, 3 | 7);
        match control {
            _ if self.t.rule(r::TLB_CONTROL_RESERVED, !known) => self.used.clear(),
            1 if self.t.does(tlb_asid::FLUSH_ALL) => self.used.clear(),
            3 | 7 if self.t.does(tlb_asid::FLUSH_ASID) => self.used.retain(|(a, ..)| *a != asid),
            0 if self.t.does(tlb_asid::NEW_ASID) => {}
            // A broken rule lets every ASID see the translations of the others.
            0 => self.used.iter_mut().for_each(|(a, ..)| *a = asid),
            _ => {}
        }
    }

    /// Which features are on for this guest: offered, and asked for.
    fn activate(
        &mut self,
        vmcb_pa: u64,
        v: Image,
        host: Regs,
        host_branches: regs::Branches,
    ) -> Guest {
        let int_ctl = v.get(Field::INT_CTL);
        let nested_ctl = v.get(Field::NESTED_CTL);
        let virt_ext = v.get(Field::VIRT_EXT);
        let misc3 = |bit: u8| v.get(Field::INTERCEPT_MISC3) >> bit & 1 == 1;
        let offered = self.supported(CpuFeature::Npt);
        let wanted = self.t.rule(npt::ENABLED, nested_ctl & 1 == 1);
        let nested = wanted && (self.t.rule(r::NP_UNSUPPORTED, !offered) || offered);
        let counts = self.t.rule(bus_lock::ENABLED, misc3(5));
        let mut ask = |wanted: bool, rule, feature| {
            let offered = self.platform.features.has(feature);
            wanted && self.t.rule(rule, offered)
        };
        Guest {
            vgif: ask(int_ctl & int_ctl::V_GIF_ENABLE != 0, vgif::VGIF_SUPPORTED, CpuFeature::Vgif),
            vnmi: ask(int_ctl & int_ctl::V_NMI_ENABLE != 0, vnmi::SUPPORTED, CpuFeature::Vnmi),
            lbrv: ask(virt_ext & 1 != 0, lbrv::SUPPORTED, CpuFeature::Lbrv),
            gmet: ask(nested && nested_ctl & 8 != 0, gmet::SUPPORTED, CpuFeature::Gmet),
            vls: ask(virt_ext & 2 != 0, vls::VLS_SUPPORTED, CpuFeature::VirtVmload),
            idle_hlt: ask(misc3(6), idle_hlt::SUPPORTED, CpuFeature::IdleHlt),
            bus_lock: ask(counts, bus_lock::SUPPORTED, CpuFeature::BusLockThreshold),
            spec_ctrl: ask(true, spec_ctrl::SUPPORTED, CpuFeature::VirtSpecCtrl),
            pauses: v.get(Field::PAUSE_FILTER_COUNT),
            bus_locks: v.get(Field::BUS_LOCK_THRESHOLD),
            delivering: None,
            vmcb_pa,
            int_ctl,
            nested,
            ctl: v,
            host,
            host_branches,
        }
    }

    fn load_guest(&mut self, v: &Image) {
        let t = &mut *self.t;
        let r = &mut self.r;
        if t.does(s::LOAD_SEGMENTS) {
            r.es = regs::ES.load(v);
            r.cs = regs::CS.load(v);
            r.ss = regs::SS.load(v);
            r.ds = regs::DS.load(v);
        }

        if t.does(s::LOAD_TABLES) {
            r.gdtr =
                Table { limit: v.get(Field::GDTR_LIMIT) as u32, base: v.get(Field::GDTR_BASE) };
            r.idtr =
                Table { limit: v.get(Field::IDTR_LIMIT) as u32, base: v.get(Field::IDTR_BASE) };
        }
        if t.does(s::BASE_CANONICAL) {
            let la57 = self.platform.features.has(CpuFeature::La57);
            let extend = |base: &mut u64| *base = sign_extend(*base, la57);
            [&mut r.es, &mut r.cs, &mut r.ss, &mut r.ds]
                .into_iter()
                .for_each(|s| extend(&mut s.base));
            [&mut r.gdtr, &mut r.idtr].into_iter().for_each(|t| extend(&mut t.base));
        }
        self.load_control_registers(v);
        self.load_general(v);
    }

    fn load_control_registers(&mut self, v: &Image) {
        let t = &mut *self.t;
        let r = &mut self.r;
        let loads = [
            (s::LOAD_EFER, Field::EFER, &mut r.efer),
            (s::LOAD_CR0, Field::CR0, &mut r.cr0),
            (s::LOAD_CR2, Field::CR2, &mut r.cr2),
            (s::LOAD_CR3, Field::CR3, &mut r.cr3),
            (s::LOAD_CR4, Field::CR4, &mut r.cr4),
            (s::LOAD_DR6, Field::DR6, &mut r.dr6),
            (s::LOAD_DR7, Field::DR7, &mut r.dr7),
        ];
        for (rule, field, register) in loads {
            if t.does(rule) {
                *register = v.get(field);
            }
        }
        r.dr6 = (r.dr6 | dr::DR6_ONES) & !dr::DR6_ZEROS & 0xffff_ffff;
        r.dr7 = (r.dr7 | dr::DR7_ONES) & !dr::DR7_ZEROS & 0xffff_ffff;
        let paging = r.cr0 & cr0::PG != 0;
        let real = t.rule(s::PAGED_REAL, paging && r.cr0 & cr0::PE == 0);
        if !real && t.rule(s::LMA, paging && r.efer & efer::LME != 0) {
            r.efer |= efer::LMA;
        } else {
            r.efer &= !efer::LMA;
        }
    }

    fn load_general(&mut self, v: &Image) {
        let t = &mut *self.t;
        let r = &mut self.r;
        if t.does(s::LOAD_RFLAGS) {
            r.rflags = v.get(Field::RFLAGS) & flag::ALL | flag::FIXED;
        }
        if t.does(s::LOAD_RIP) {
            r.rip = v.get(Field::RIP);
        }
        if t.does(s::LOAD_RSP) {
            r.gpr[4] = v.get(Field::RSP);
        }
        if t.does(s::LOAD_RAX) {
            r.gpr[0] = v.get(Field::RAX);
        }
        if t.does(s::LOAD_CPL) {
            r.cpl = v.get(Field::CPL) as u8 & 3;
        }
        if t.rule(s::CPL_REAL, r.cr0 & cr0::PE == 0) {
            r.cpl = 0;
        } else if t.rule(s::CPL_V86, r.rflags & flag::VM != 0) {
            r.cpl = 3;
        }
        r.shadow = t.rule(s::LOAD_SHADOW, v.get(Field::INT_STATE) & 1 == 1);
        // What VMRUN leaves alone: breaking one of these rules loads it after all.
        if !t.does(s::KEEP_GPRS) {
            r.gpr[3] = 0;
        }
        if !t.does(s::KEEP_HIDDEN) {
            r.hidden.kernel_gs_base = v.get(Field::KERNEL_GS_BASE);
        }
        if !t.does(s::KEEP_DR0_3) {
            r.dr = [0; 4];
        }
    }

    fn load_features(&mut self) {
        let Some(guest) = &self.guest else { return };
        if self.t.rule(npt::GPAT_LOAD, guest.nested) {
            self.r.pat = guest.ctl.get(Field::G_PAT);
        }
        if guest.spec_ctrl && self.t.does(spec_ctrl::LOAD) {
            self.r.spec_ctrl = guest.ctl.get(Field::SPEC_CTRL);
        }
        if guest.lbrv && self.t.does(lbrv::LOAD) {
            self.r.branches = regs::Branches {
                debugctl: guest.ctl.get(Field::DBGCTL),
                from: guest.ctl.get(Field::BR_FROM),
                to: guest.ctl.get(Field::BR_TO),
                excp_from: guest.ctl.get(Field::LASTEXCPFROM),
                excp_to: guest.ctl.get(Field::LASTEXCPTO),
            };
        }
    }

    /// Delivers what EVENTINJ asks for, ahead of all that is pending.
    fn inject_first(&mut self, event: Event) -> Flow {
        if !self.t.does(inj::BEFORE_PENDING) {
            self.boundary()?;
        }
        let masked = event.kind == Kind::Interrupt && !self.interrupts_on();
        if masked && !self.t.does(inj::IGNORES_IF) {
            return Ok(());
        }
        if self.t.does(inj::DELIVERED) { self.inject(event) } else { Ok(()) }
    }

    /// Delivers what EVENTINJ asks for, then executes until #VMEXIT.
    fn run_guest(&mut self) -> Flow {
        if let Some(event) = self.injected() {
            self.inject_first(event)?;
        }
        loop {
            self.budget = self.budget.checked_sub(1).ok_or(Stop::Open)?;
            self.boundary()?;
            match self.instruction() {
                Ok(()) => {}
                Err(Stop::Raise(event)) => self.deliver(event)?,
                Err(stop) => return Err(stop),
            }
        }
    }
}
