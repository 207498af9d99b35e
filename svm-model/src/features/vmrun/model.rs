//! VMRUN: its operand, the switch to the guest, the guest's course (15.5).

use crate::arch::cpu::CpuFeature;
use crate::arch::vmcb::{Field, Image};
use crate::arch::{dr, efer, exit};
use crate::case::world;
use crate::features;
use crate::features::intercepts::table;
use crate::features::vmexit::model::bit;
use crate::machine::guest::Guest;
use crate::machine::registers as regs;
use crate::machine::registers::Regs;
use crate::machine::{Flow, Machine, Scene, Stop};
use crate::rules::{vmexit, vmload_vmsave, vmrun, vmrun_state};

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
    pub(crate) fn vmrun(&mut self, rax: u64) -> Flow {
        if self.t.rule(vmrun::SVME_UD, self.r.efer & efer::SVME == 0) {
            return Err(self.ud());
        }
        if self.t.rule(vmrun::RAX_ALIGNED, rax & 0xfff != 0) {
            return Err(self.gp(0));
        }
        let outside = !self.physical(rax);
        if self.t.rule(vmrun::RAX_PHYS, outside) {
            return Err(self.gp(0));
        }
        let rax = self.t.said(vmrun_state::VMCB_OWN_PAGE, rax);
        self.mem.contained &= self.msr.hsave == world::HSAVE;
        let v = self.mem.image(rax);
        self.open_fields = 0;
        self.open_host = 0;
        let carried = self.carry(rax)?;
        self.armed = false;
        self.budget = crate::machine::BUDGET;
        if v.get(Field::EFER) & efer::LMSLE != 0 {
            // Whether there is such a bit is no feature that cases know.
            return Err(Stop::Open);
        }
        if !self.consistent(&v) {
            return self.refuse(rax, carried);
        }
        self.enter(rax, v)?;
        match self.run_guest() {
            Err(Stop::Exit) if self.t.does(vmexit::HOST_RSP_RIP) => Ok(()),
            Err(Stop::Exit) => Err(Stop::Open),
            Err(stop) => Err(stop),
            Ok(()) => Err(Stop::Open),
        }
    }

    /// What an earlier #VMEXIT left open in this VMCB is open in the guest.
    fn carry(&mut self, vmcb: u64) -> Flow<u128> {
        let carried = self.carried.of(vmcb);
        let open = |field| carried & bit(field) != 0;
        if open(Field::CR0) {
            // After a shutdown all of it is.
            return Err(Stop::Open);
        }
        if open(Field::DR7) || open(Field::SPEC_CTRL) {
            return Err(Stop::Open);
        }
        let event = self.mem.read(vmcb + u64::from(Field::EVENTINJ.offset()), 8);
        if open(Field::NRIP) && event >> 31 & 1 == 1 {
            return Err(Stop::Open);
        }
        self.null_ss = open(Field::SS_ATTRIB) || open(Field::SS_LIMIT) || open(Field::SS_BASE);
        self.open_flags = open(Field::RFLAGS);
        self.open_dr6 = open(Field::DR6);
        self.open_branches = open(Field::BR_FROM);
        self.unknown[0] = if open(Field::RAX) { !0 } else { 0 };
        Ok(carried)
    }

    /// #VMEXIT(VMEXIT_INVALID): nothing of the guest has been loaded.
    fn refuse(&mut self, vmcb: u64, carried: u128) -> Flow {
        self.mem.set_field(vmcb, Field::EXITCODE, exit::INVALID);
        if self.t.does(vmrun::INVALID_EVENTINJ) {
            self.mem.set_field(vmcb, Field::EVENTINJ, 0);
        }
        self.leaves(vmrun::INVALID_SAVE_AREA, Scene::Vmcb(vmcb))?;
        if self.t.does(vmrun::INVALID_GIF) {
            self.gif = false;
        }
        self.open_fields = INVALID_OPEN | carried;
        self.carried.set(vmcb, self.open_fields);
        if self.t.does(vmexit::HOST_DR7) {
            self.r.dr7 = dr::DR7_ONES;
        }
        Ok(())
    }

    /// Saves the host and loads the guest.
    pub(crate) fn enter(&mut self, vmcb_pa: u64, v: Image) -> Flow {
        let host = self.r.clone();
        // L1's own branches, of which a case knows nothing.
        self.r.branches.foreign |= self.r.branches.debugctl & 1 != 0;
        let host_branches = self.r.branches;
        self.load_guest(&v)?;
        self.guest = Some(self.activate(vmcb_pa, v, host, host_branches));
        self.walks = crate::machine::paging::Walks::NONE;
        self.load_features();
        self.flush()?;
        if self.t.does(vmrun_state::SETS_GIF) {
            self.gif = true;
        }
        Ok(())
    }

    /// Which features are on for this guest: offered, and asked for.
    pub(crate) fn activate(
        &mut self,
        vmcb_pa: u64,
        v: Image,
        host: Regs,
        host_branches: regs::Branches,
    ) -> Guest {
        let (t, platform) = (&mut *self.t, &self.platform);
        Guest {
            vgif: features::vgif::active(t, platform, &v),
            vnmi: features::vnmi::active(t, platform, &v),
            lbrv: features::lbrv::active(t, platform, &v),
            gmet: features::gmet::active(t, platform, &v),
            vls: features::vmload_vmsave::active(t, platform, &v),
            idle_hlt: features::idle_hlt::active(t, platform, &v),
            bus_lock: features::bus_lock::active(t, platform, &v),
            spec_ctrl: features::spec_ctrl::active(t, platform),
            nested: features::npt::active(t, platform, &v),
            int_ctl: v.get(Field::INT_CTL),
            pauses: v.get(Field::PAUSE_FILTER_COUNT),
            bus_locks: v.get(Field::BUS_LOCK_THRESHOLD),
            delivering: None,
            vmcb_pa,
            ctl: v,
            host,
            host_branches,
        }
    }

    /// Delivers what EVENTINJ asks for, then executes until #VMEXIT.
    fn run_guest(&mut self) -> Flow {
        if !self.r.rip_in_limit() {
            // The model has no segment limits, and so no RIP of more bits than the mode gives it.
            return Err(Stop::Open);
        }
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

    /// VMRUN in the guest, where its intercept is always set.
    pub(crate) fn guest_vmrun(&mut self) -> Flow {
        if self.guest.is_none() {
            return Err(Stop::Open);
        }
        self.protected_mode()?;
        self.privileged()?;
        let rax = self.address_operand()?;
        let bad = rax & 0xfff != 0 || !self.physical(rax);
        if bad {
            let first = !self.supported(CpuFeature::AddrChk);
            if self.t.rule(vmload_vmsave::ADDR_BEFORE_INTERCEPT, first) {
                return Err(self.gp(0));
            }
        }
        self.intercept(&table::VMRUN)?;
        Err(Stop::Open)
    }
}
