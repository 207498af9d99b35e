//! VMLOAD and VMSAVE (15.5.2), and their virtualisation (15.33.1).

use crate::arch::{efer};
use crate::features::intercepts::model as i;
use crate::features::npt::model::NestedAccess;
use crate::machine::paging::Access;
use crate::machine::registers::{self as regs, Hidden, Segment, sign_extend};
use crate::features::vmexit::model::{NextRip, Reason};
use crate::machine::{Flow, Machine, Scene, Stop};
use crate::cpu::CpuFeature;
use crate::rules::vmload_vmsave as r;
use crate::vmcb::{Field, Image, exit};

impl Machine<'_> {
    pub(crate) fn vmload_or_save(&mut self, save: bool) -> Flow {
        if self.t.rule(r::SVME_UD, self.r.efer & efer::SVME == 0) {
            return Err(self.ud());
        }
        self.privileged()?;
        let rax = self.operand(0)?;
        let first = !self.supported(CpuFeature::AddrChk);
        let bad = self.address_bad(rax);
        if self.guest.is_some() {
            if bad && self.t.rule(r::ADDR_BEFORE_INTERCEPT, first) {
                return Err(self.gp(0));
            }
            let vls = self.guest.as_ref().is_some_and(|g| g.vls && g.nested);
            if !vls || self.t.does(r::VLS_INTERCEPT_WINS) {
                self.intercept(if save { &i::VMSAVE } else { &i::VMLOAD })?;
            }
        }
        if bad {
            return Err(self.gp(0));
        }
        let pa = self.vmload_address(rax, save)?;
        if save {
            self.store_hidden(pa)?;
        } else {
            let image = self.mem.image(pa);
            self.load_hidden(&image);
        }
        Ok(())
    }

    fn address_bad(&mut self, rax: u64) -> bool {
        let outside = !self.physical(rax);
        self.t.rule(r::RAX_ALIGNED, rax & 0xfff != 0) | self.t.rule(r::RAX_PHYS, outside)
    }

    /// Where the block is: system-physical, or guest-physical if virtualised.
    fn vmload_address(&mut self, rax: u64, save: bool) -> Flow<u64> {
        let Some(guest) = &self.guest else { return Ok(rax) };
        let (vls, nested) = (guest.vls, guest.nested);
        if vls && !self.r.mode64() {
            return Err(Stop::Open);
        }
        let forced = |code| Reason::new(code, NextRip::Instruction);
        let code = if save { exit::VMSAVE } else { exit::VMLOAD };
        if !vls {
            return Ok(self.t.said(r::GUEST_REAL, rax));
        }
        if self.t.rule(r::VLS_NEEDS_NPT, !nested) {
            return self.exit(forced(code));
        }
        if self.t.does(r::VLS_TRANSLATES) {
            let access = if save { Access::SYSTEM_WRITE } else { Access::SYSTEM_READ };
            let translated = self.translate_nested(rax, NestedAccess::last(access, false));
            if translated.is_err() {
                self.leaves(r::VLS_NPF, Scene::Here)?;
            }
            return translated;
        }
        Ok(rax)
    }

    fn load_hidden(&mut self, v: &Image) {
        let la57 = self.supported(CpuFeature::La57);
        let t = &mut *self.t;
        let canonical = t.does(r::CANONICAL);
        let extend = |base: u64| if canonical { sign_extend(base, la57) } else { base };
        let segment = |fields: regs::SegmentFields| {
            let loaded = fields.load(v);
            Segment { base: extend(loaded.base), ..loaded }
        };
        let h = &mut self.r.hidden;
        if t.does(r::LOADS_FS_GS) {
            (h.fs, h.gs) = (segment(regs::FS), segment(regs::GS));
        }
        if t.does(r::LOADS_TR) {
            h.tr = segment(regs::TR);
        }
        if t.does(r::LOADS_LDTR) {
            h.ldtr = segment(regs::LDTR);
        }
        if t.does(r::LOADS_KERNEL_GS) {
            h.kernel_gs_base = extend(v.get(Field::KERNEL_GS_BASE));
        }
        if t.does(r::LOADS_STAR) {
            h.star = v.get(Field::STAR);
            h.lstar = v.get(Field::LSTAR);
            h.cstar = v.get(Field::CSTAR);
            h.sfmask = v.get(Field::SFMASK);
        }
        if t.does(r::LOADS_SYSENTER) {
            h.sysenter_cs = v.get(Field::SYSENTER_CS);
            h.sysenter_esp = v.get(Field::SYSENTER_ESP);
            h.sysenter_eip = v.get(Field::SYSENTER_EIP);
        }
    }

    fn store_hidden(&mut self, pa: u64) -> Flow {
        let h: Hidden = self.r.hidden;
        let segments = [
            (r::SAVES_FS_GS, regs::FS, h.fs),
            (r::SAVES_FS_GS, regs::GS, h.gs),
            (r::SAVES_TR, regs::TR, h.tr),
            (r::SAVES_LDTR, regs::LDTR, h.ldtr),
        ];
        for (rule, fields, segment) in segments {
            if self.t.does(rule) {
                for (field, value) in fields.values(&segment) {
                    self.mem.set_field(pa, field, value);
                }
            }
        }
        let values = [
            (r::SAVES_KERNEL_GS, Field::KERNEL_GS_BASE, h.kernel_gs_base),
            (r::SAVES_STAR, Field::STAR, h.star),
            (r::SAVES_STAR, Field::LSTAR, h.lstar),
            (r::SAVES_STAR, Field::CSTAR, h.cstar),
            (r::SAVES_STAR, Field::SFMASK, h.sfmask),
            (r::SAVES_SYSENTER, Field::SYSENTER_CS, h.sysenter_cs),
            (r::SAVES_SYSENTER, Field::SYSENTER_ESP, h.sysenter_esp),
            (r::SAVES_SYSENTER, Field::SYSENTER_EIP, h.sysenter_eip),
        ];
        for (rule, field, value) in values {
            if self.t.does(rule) {
                self.mem.set_field(pa, field, value);
            }
        }
        self.leaves(r::SAVES_NOTHING_ELSE, Scene::Vmcb(pa))
    }
}
