//! What VMRUN loads, and what it leaves alone (15.5.1).

use crate::arch::cpu::CpuFeature;
use crate::arch::vmcb::{Field, Image};
use crate::arch::{cr0, dr, efer, flag};
use crate::machine::registers as regs;
use crate::machine::registers::{Table, sign_extend};
use crate::machine::{Flow, Machine, Scene};
use crate::rules::{lbrv, npt, spec_ctrl, vmrun_state};

impl Machine<'_> {
    pub(crate) fn load_guest(&mut self, v: &Image) -> Flow {
        let t = &mut *self.t;
        let r = &mut self.r;
        if t.does(vmrun_state::LOAD_SEGMENTS) {
            r.es = regs::ES.load(v);
            r.cs = regs::CS.load(v);
            r.ss = regs::SS.load(v);
            r.ds = regs::DS.load(v);
        }

        if t.does(vmrun_state::LOAD_TABLES) {
            r.gdtr =
                Table { limit: v.get(Field::GDTR_LIMIT) as u32, base: v.get(Field::GDTR_BASE) };
            r.idtr =
                Table { limit: v.get(Field::IDTR_LIMIT) as u32, base: v.get(Field::IDTR_BASE) };
        }
        if t.does(vmrun_state::BASE_CANONICAL) {
            let la57 = self.platform.features.has(CpuFeature::La57);
            let extend = |base: &mut u64| *base = sign_extend(*base, la57);
            [&mut r.es, &mut r.cs, &mut r.ss, &mut r.ds]
                .into_iter()
                .for_each(|s| extend(&mut s.base));
            [&mut r.gdtr, &mut r.idtr].into_iter().for_each(|t| extend(&mut t.base));
        }
        self.load_control_registers(v);
        self.load_general(v);
        for kept in [vmrun_state::KEEP_GPRS, vmrun_state::KEEP_HIDDEN, vmrun_state::KEEP_DR0_3] {
            self.leaves(kept, Scene::Loading(v))?;
        }
        Ok(())
    }

    pub(crate) fn load_control_registers(&mut self, v: &Image) {
        let t = &mut *self.t;
        let r = &mut self.r;
        let loads = [
            (vmrun_state::LOAD_EFER, Field::EFER, &mut r.efer),
            (vmrun_state::LOAD_CR0, Field::CR0, &mut r.cr0),
            (vmrun_state::LOAD_CR2, Field::CR2, &mut r.cr2),
            (vmrun_state::LOAD_CR3, Field::CR3, &mut r.cr3),
            (vmrun_state::LOAD_CR4, Field::CR4, &mut r.cr4),
            (vmrun_state::LOAD_DR6, Field::DR6, &mut r.dr6),
            (vmrun_state::LOAD_DR7, Field::DR7, &mut r.dr7),
        ];
        for (rule, field, register) in loads {
            if t.does(rule) {
                *register = v.get(field);
            }
        }
        if t.does(vmrun_state::CR0_ET) {
            r.cr0 |= cr0::ET;
        }
        r.dr6 = (r.dr6 | dr::DR6_ONES) & !dr::DR6_ZEROS & 0xffff_ffff;
        r.dr7 = (r.dr7 | dr::DR7_ONES) & !dr::DR7_ZEROS & 0xffff_ffff;
        let paging = r.cr0 & cr0::PG != 0;
        let real = t.rule(vmrun_state::PAGED_REAL, paging && r.cr0 & cr0::PE == 0);
        r.efer &= !efer::RAZ;
        if !real && t.rule(vmrun_state::LMA, paging && r.efer & efer::LME != 0) {
            r.efer |= efer::LMA;
        } else {
            r.efer &= !efer::LMA;
        }
    }

    pub(crate) fn load_general(&mut self, v: &Image) {
        let t = &mut *self.t;
        let r = &mut self.r;
        if t.does(vmrun_state::LOAD_RFLAGS) {
            r.rflags = v.get(Field::RFLAGS) & flag::ALL | flag::FIXED;
        }
        if t.does(vmrun_state::LOAD_RIP) {
            r.rip = v.get(Field::RIP);
        }
        if t.does(vmrun_state::LOAD_RSP) {
            r.gpr[4] = v.get(Field::RSP);
        }
        if t.does(vmrun_state::LOAD_RAX) {
            r.gpr[0] = v.get(Field::RAX);
        }
        if t.does(vmrun_state::LOAD_CPL) {
            r.cpl = v.get(Field::CPL) as u8 & 3;
        }
        if t.rule(vmrun_state::CPL_REAL, r.cr0 & cr0::PE == 0) {
            r.cpl = 0;
        } else if t.rule(vmrun_state::CPL_V86, r.rflags & flag::VM != 0) {
            r.cpl = 3;
        }
        r.shadow = t.rule(vmrun_state::LOAD_SHADOW, v.get(Field::INT_STATE) & 1 == 1);
    }

    pub(crate) fn load_features(&mut self) {
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
                foreign: false,
            };
        }
    }
}
