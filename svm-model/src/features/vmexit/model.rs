//! #VMEXIT: what is written to the VMCB, and what the host gets back (15.6).

use crate::arch::vmcb::Field;
use crate::arch::{cr0, dr, flag, int_ctl};
use crate::case::world;
use crate::features::nrip::model::NextRip;
use crate::machine::delivery::Kind;
use crate::machine::guest::Guest;
use crate::machine::registers as regs;
use crate::machine::{Flow, Machine, Scene, Stop};
use crate::rules::{
    bus_lock, lbrv, msr, npt, pause_filter, spec_ctrl, tlb_asid, vgif, virq, vmexit, vnmi,
};
use crate::snapshot::HostReg;

/// A field's place in a mask.
pub(crate) const fn bit(field: Field) -> u128 {
    1 << field.index()
}

/// The fields that hold the guest's registers.
pub(crate) const GUEST_STATE: u128 = {
    let (mut mask, mut n) = (0, 0);
    while n < Field::ALL.len() {
        if Field::ALL[n].offset() >= crate::vmcb::SAVE {
            mask |= 1 << n;
        }
        n += 1;
    }
    mask
};

/// Host registers that are as open after a shutdown as the guest's state.
pub(crate) const SHUTDOWN_HOST: u128 = 1 << HostReg::Cr2 as u32
    | 1 << HostReg::Dr6 as u32
    | 1 << HostReg::L2Rbx as u32
    | 1 << HostReg::L2Rcx as u32
    | 1 << HostReg::L2Rdx as u32;

/// Why the guest stops, and what is reported of it. `None` is what the manual leaves open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reason {
    pub(crate) code: u64,
    pub(crate) info1: Option<u64>,
    pub(crate) info2: Option<u64>,
    pub(crate) next_rip: NextRip,
    /// A data access faulted: decode assists save the instruction's bytes.
    pub(crate) data_fault: bool,
    /// The fetch of the instruction faulted.
    pub(crate) fetch_fault: bool,
}

impl Reason {
    /// A reason without further information.
    pub(crate) const fn new(code: u64, next_rip: NextRip) -> Reason {
        Reason { code, info1: None, info2: None, next_rip, data_fault: false, fetch_fault: false }
    }
}

/// What #VMEXIT has left open, in the VMCB of the baseline and in the one that was left last of all
/// others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Carried([(u64, u128); 2]);

impl Carried {
    fn place(vmcb: u64) -> usize {
        usize::from(vmcb != world::VMCB)
    }

    /// The fields of that VMCB that are open.
    pub(crate) fn of(&self, vmcb: u64) -> u128 {
        let (whose, fields) = self.0[Self::place(vmcb)];
        if whose == vmcb { fields } else { 0 }
    }

    /// That VMCB has been left, with these fields open.
    pub(crate) fn set(&mut self, vmcb: u64, fields: u128) {
        self.0[Self::place(vmcb)] = (vmcb, fields);
    }

    /// A step has written that field of the baseline's.
    pub(crate) fn written(&mut self, field: Field) {
        self.0[0].1 &= !bit(field);
    }
}

impl Machine<'_> {
    /// Leaves the guest.
    pub(crate) fn exit<T>(&mut self, reason: Reason) -> Flow<T> {
        if self.probing {
            return Err(Stop::Open);
        }
        // The host comes back from there.
        self.mem.contained &= self.msr.hsave == world::HSAVE;
        let bytes = self.fault_bytes(&reason);
        let Some(guest) = self.guest.take() else { return Err(Stop::Open) };
        let pa = guest.vmcb_pa;
        self.open_fields = 0;
        self.open_host = 0;
        if self.null_ss {
            self.open_fields |= bit(Field::SS_ATTRIB) | bit(Field::SS_LIMIT) | bit(Field::SS_BASE);
        }
        if self.open_branches {
            self.open_fields |= bit(Field::BR_FROM)
                | bit(Field::BR_TO)
                | bit(Field::LASTEXCPFROM)
                | bit(Field::LASTEXCPTO);
        }
        if self.open_flags {
            self.open_fields |= bit(Field::RFLAGS);
        }
        if self.open_dr6 {
            self.open_fields |= bit(Field::DR6);
            self.open_host |= 1 << HostReg::Dr6 as u32;
        }
        self.hits = 0;
        if self.unknown[0] != 0 {
            self.open_fields |= bit(Field::RAX);
        }
        self.save_reason(&guest, &reason);
        self.save_event(&guest)?;
        self.save_bytes(pa, &reason, bytes);
        self.save_state(pa)?;
        self.save_virtual(&guest)?;
        self.restore_host(&guest)?;
        self.carried.set(pa, self.open_fields & (GUEST_STATE | bit(Field::NRIP)));
        Err(Stop::Exit)
    }

    fn save_reason(&mut self, guest: &Guest, reason: &Reason) {
        let pa = guest.vmcb_pa;
        if self.t.does(vmexit::EXITCODE) {
            self.mem.set_field(pa, Field::EXITCODE, reason.code);
        }
        for (field, value) in [(Field::EXITINFO1, reason.info1), (Field::EXITINFO2, reason.info2)] {
            match value {
                Some(value) => self.mem.set_field(pa, field, value),
                None => self.open_fields |= bit(field),
            }
        }
        if self.t.does(vmexit::CLEARS_EVENTINJ) {
            self.mem.set_field(pa, Field::EVENTINJ, 0);
        }
        self.save_next_rip(pa, reason);
    }

    fn save_state(&mut self, pa: u64) -> Flow {
        if self.t.does(vmexit::SAVE_SEGMENTS) {
            let r = &self.r;
            let segments = [(regs::ES, r.es), (regs::CS, r.cs), (regs::SS, r.ss), (regs::DS, r.ds)];
            for (field, value) in segments.iter().flat_map(|(f, s)| f.values(s)) {
                self.mem.set_field(pa, field, value);
            }
        }
        if self.t.does(vmexit::SAVE_TABLES) {
            self.mem.set_field(pa, Field::GDTR_LIMIT, self.r.gdtr.limit.into());
            self.mem.set_field(pa, Field::GDTR_BASE, self.r.gdtr.base);
            self.mem.set_field(pa, Field::IDTR_LIMIT, self.r.idtr.limit.into());
            self.mem.set_field(pa, Field::IDTR_BASE, self.r.idtr.base);
        }
        let registers = [
            (vmexit::SAVE_EFER, Field::EFER, self.r.efer),
            (vmexit::SAVE_CR0, Field::CR0, self.r.cr0),
            (vmexit::SAVE_CR2, Field::CR2, self.r.cr2),
            (vmexit::SAVE_CR3, Field::CR3, self.r.cr3),
            (vmexit::SAVE_CR4, Field::CR4, self.r.cr4),
            (vmexit::SAVE_DR6, Field::DR6, self.r.dr6),
            (vmexit::SAVE_DR7, Field::DR7, self.r.dr7),
            (vmexit::SAVE_RFLAGS, Field::RFLAGS, self.r.rflags),
            (vmexit::SAVE_RIP, Field::RIP, self.r.rip),
            (vmexit::SAVE_RSP, Field::RSP, self.r.gpr[4]),
            (vmexit::SAVE_RAX, Field::RAX, self.r.gpr[0]),
            (vmexit::SAVE_CPL, Field::CPL, self.r.cpl.into()),
        ];
        for (rule, field, value) in registers {
            if self.t.does(rule) {
                self.mem.set_field(pa, field, value);
            }
        }
        for kept in
            [vmexit::LEAVES_HIDDEN, vmexit::LEAVES_CONTROLS, tlb_asid::KEPT, tlb_asid::ASID_KEPT]
        {
            self.leaves(kept, Scene::Vmcb(pa))?;
        }
        Ok(())
    }

    /// The virtual interrupt state, the guest's PAT and its branch records.
    fn save_virtual(&mut self, guest: &Guest) -> Flow {
        let pa = guest.vmcb_pa;
        let shadow = self.t.rule(vmexit::SAVE_SHADOW, self.r.shadow);
        self.mem.set_field(pa, Field::INT_STATE, shadow.into());
        if guest.ctl.get(Field::INT_STATE) & !3 != 0 {
            // What becomes of reserved bits is not said.
            self.open_fields |= bit(Field::INT_STATE);
        }
        let int_ctl = self.saved_int_ctl(guest);
        self.mem.set_field(pa, Field::INT_CTL, int_ctl);
        self.leaves(virq::INTCTL_KEPT, Scene::Vmcb(pa))?;
        if guest.ctl.get(Field::PAUSE_FILTER_COUNT) != 0 {
            self.leaves(pause_filter::LOADED, Scene::Leaving(guest))?;
        }
        if guest.nested {
            self.mem.set_field(pa, Field::G_PAT, self.r.pat);
        }
        if guest.bus_lock && self.t.does(bus_lock::SAVED) {
            self.mem.set_field(pa, Field::BUS_LOCK_THRESHOLD, guest.bus_locks);
        }
        if guest.spec_ctrl {
            self.save_spec_ctrl(guest);
        }
        if guest.lbrv {
            if self.t.does(lbrv::SAVE) {
                self.save_branches(pa);
            }
        } else {
            self.leaves(lbrv::SHARED, Scene::Vmcb(pa))?;
        }
        Ok(())
    }

    /// INT_CTL as #VMEXIT writes it back.
    fn saved_int_ctl(&mut self, guest: &Guest) -> u64 {
        let mut saved = [(virq::VTPR_SAVED, int_ctl::V_TPR), (virq::PENDING_SAVED, int_ctl::V_IRQ)]
            .iter()
            .filter(|(rule, _)| self.t.does(*rule))
            .fold(0, |mask, (_, bits)| mask | bits);
        if guest.vgif && self.t.does(vgif::VGIF_SAVED) {
            saved |= int_ctl::V_GIF;
        }
        if guest.vnmi && self.t.does(vnmi::TAKEN_CLEARS) {
            saved |= int_ctl::V_NMI | int_ctl::V_NMI_MASK;
        }
        let cut_short = guest.vnmi && guest.delivering.is_some_and(|e| e.kind == Kind::Nmi);
        let unmasks = cut_short && self.t.does(vnmi::EXIT_UNMASKS);
        let int_ctl = if unmasks { guest.int_ctl & !int_ctl::V_NMI_MASK } else { guest.int_ctl };
        guest.ctl.get(Field::INT_CTL) & !saved | int_ctl & saved
    }

    fn restore_host(&mut self, guest: &Guest) -> Flow {
        let host = &guest.host;
        let r = &mut self.r;
        let t = &mut *self.t;
        let reloads = [
            (vmexit::HOST_CR0, &mut r.cr0, host.cr0 | cr0::PE),
            (vmexit::HOST_CR3, &mut r.cr3, host.cr3),
            (vmexit::HOST_CR4, &mut r.cr4, host.cr4),
            (vmexit::HOST_EFER, &mut r.efer, host.efer),
            (vmexit::HOST_RFLAGS, &mut r.rflags, host.rflags & !flag::VM),
            (vmexit::HOST_DR7, &mut r.dr7, dr::DR7_ONES),
        ];
        for (rule, register, value) in reloads {
            if t.does(rule) {
                *register = value;
            }
        }
        if t.does(vmexit::HOST_RAX) {
            r.gpr[0] = host.gpr[0];
        }
        (r.gpr[4], r.rip) = (host.gpr[4], host.rip);
        (r.es, r.cs, r.ss, r.ds) = (host.es, host.cs, host.ss, host.ds);
        (r.gdtr, r.idtr) = (host.gdtr, host.idtr);
        r.shadow = false;
        if t.does(vmexit::HOST_CPL) {
            r.cpl = 0;
        }
        if guest.nested && t.does(npt::GPAT_HOST) {
            r.pat = host.pat;
        }
        if guest.spec_ctrl && t.does(spec_ctrl::HOST) {
            r.spec_ctrl = host.spec_ctrl;
        }
        if guest.lbrv && t.does(lbrv::HOST) {
            r.branches = guest.host_branches;
        }
        if t.does(vmexit::CLEARS_GIF) {
            self.gif = false;
        }
        // These stay as the guest had them.
        for kept in [vmexit::HOST_DR6, vmexit::HOST_CR2, msr::STAR_GUEST] {
            self.leaves(kept, Scene::Leaving(guest))?;
        }
        self.fetch.forget();
        Ok(())
    }
}
