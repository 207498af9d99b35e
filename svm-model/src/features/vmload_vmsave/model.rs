//! VMLOAD and VMSAVE (15.5.2), and their virtualisation (15.33.1).

use crate::arch::cpu::CpuFeature;
use crate::arch::vmcb::{Field, Image};
use crate::arch::{efer, exit};
use crate::features::intercepts::table;
use crate::features::npt::model::NestedAccess;
use crate::features::nrip::model::NextRip;
use crate::features::vmexit::model::Reason;
use crate::machine::paging::Access;
use crate::machine::registers as regs;
use crate::machine::registers::{Hidden, Segment, sign_extend};
use crate::machine::{Flow, Machine, Scene, Stop};
use crate::rules::vmload_vmsave;

impl Machine<'_> {
    pub(crate) fn vmload_or_save(&mut self, save: bool) -> Flow {
        if self.t.rule(vmload_vmsave::SVME_UD, self.r.efer & efer::SVME == 0) {
            return Err(self.ud());
        }
        self.protected_mode()?;
        self.privileged()?;
        let rax = self.address_operand()?;
        let first = !self.supported(CpuFeature::AddrChk);
        let bad = self.address_bad(rax);
        if self.guest.is_some() {
            if bad && self.t.rule(vmload_vmsave::ADDR_BEFORE_INTERCEPT, first) {
                return Err(self.gp(0));
            }
            let vls = self.guest.as_ref().is_some_and(|g| g.vls && g.nested);
            if !vls || self.t.does(vmload_vmsave::VLS_INTERCEPT_WINS) {
                self.intercept(if save { &table::VMSAVE } else { &table::VMLOAD })?;
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
        self.t.rule(vmload_vmsave::RAX_ALIGNED, rax & 0xfff != 0)
            | self.t.rule(vmload_vmsave::RAX_PHYS, outside)
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
            return Ok(self.t.said(vmload_vmsave::GUEST_REAL, rax));
        }
        if self.t.rule(vmload_vmsave::VLS_NEEDS_NPT, !nested) {
            return self.exit(forced(code));
        }
        if self.t.does(vmload_vmsave::VLS_TRANSLATES) {
            let access = if save { Access::SYSTEM_WRITE } else { Access::SYSTEM_READ };
            let translated = self.translate_nested(rax, NestedAccess::last(access, false));
            if translated.is_err() {
                self.leaves(vmload_vmsave::VLS_NPF, Scene::Here)?;
            }
            return translated;
        }
        Ok(rax)
    }

    fn load_hidden(&mut self, v: &Image) {
        let la57 = self.supported(CpuFeature::La57);
        let t = &mut *self.t;
        let canonical = t.does(vmload_vmsave::CANONICAL);
        let extend = |base: u64| if canonical { sign_extend(base, la57) } else { base };
        let segment = |fields: regs::SegmentFields| {
            let loaded = fields.load(v);
            Segment { base: extend(loaded.base), ..loaded }
        };
        let h = &mut self.r.hidden;
        if t.does(vmload_vmsave::LOADS_FS_GS) {
            (h.fs, h.gs) = (segment(regs::FS), segment(regs::GS));
        }
        if t.does(vmload_vmsave::LOADS_TR) {
            h.tr = segment(regs::TR);
        }
        if t.does(vmload_vmsave::LOADS_LDTR) {
            h.ldtr = segment(regs::LDTR);
        }
        if t.does(vmload_vmsave::LOADS_KERNEL_GS) {
            h.kernel_gs_base = extend(v.get(Field::KERNEL_GS_BASE));
        }
        if t.does(vmload_vmsave::LOADS_STAR) {
            h.star = v.get(Field::STAR);
            h.lstar = v.get(Field::LSTAR);
            h.cstar = v.get(Field::CSTAR);
            h.sfmask = v.get(Field::SFMASK);
        }
        if t.does(vmload_vmsave::LOADS_SYSENTER) {
            h.sysenter_cs = v.get(Field::SYSENTER_CS);
            let narrow = t.does(vmload_vmsave::SYSENTER_WIDTH);
            let width = if narrow { u64::from(u32::MAX) } else { u64::MAX };
            h.sysenter_esp = v.get(Field::SYSENTER_ESP) & width;
            h.sysenter_eip = v.get(Field::SYSENTER_EIP) & width;
        }
    }

    fn store_hidden(&mut self, pa: u64) -> Flow {
        let h: Hidden = self.r.hidden;
        let segments = [
            (vmload_vmsave::SAVES_FS_GS, regs::FS, h.fs),
            (vmload_vmsave::SAVES_FS_GS, regs::GS, h.gs),
            (vmload_vmsave::SAVES_TR, regs::TR, h.tr),
            (vmload_vmsave::SAVES_LDTR, regs::LDTR, h.ldtr),
        ];
        for (rule, fields, segment) in segments {
            if self.t.does(rule) {
                for (field, value) in fields.values(&segment) {
                    self.mem.set_field(pa, field, value);
                }
            }
        }
        let values = [
            (vmload_vmsave::SAVES_KERNEL_GS, Field::KERNEL_GS_BASE, h.kernel_gs_base),
            (vmload_vmsave::SAVES_STAR, Field::STAR, h.star),
            (vmload_vmsave::SAVES_STAR, Field::LSTAR, h.lstar),
            (vmload_vmsave::SAVES_STAR, Field::CSTAR, h.cstar),
            (vmload_vmsave::SAVES_STAR, Field::SFMASK, h.sfmask),
            (vmload_vmsave::SAVES_SYSENTER, Field::SYSENTER_CS, h.sysenter_cs),
            (vmload_vmsave::SAVES_SYSENTER, Field::SYSENTER_ESP, h.sysenter_esp),
            (vmload_vmsave::SAVES_SYSENTER, Field::SYSENTER_EIP, h.sysenter_eip),
        ];
        for (rule, field, value) in values {
            if self.t.does(rule) {
                self.mem.set_field(pa, field, value);
            }
        }
        self.leaves(vmload_vmsave::SAVES_NOTHING_ELSE, Scene::Vmcb(pa))
    }
}
