//! RDMSR and WRMSR: the permission map, SVM's own MSRs, and the few others
//! that cases use (15.11, 15.30, 15.31).

use crate::arch::{cr0, efer, intercept, msr, vm_cr};
use crate::machine::registers::sign_extend;
use crate::machine::{Flow, Machine, Scene, Stop};
use crate::cpu::CpuFeature;
use crate::rules::{intercepts, lbrv, msr as r, npt, spec_ctrl, tsc_scale, vmrun};
use crate::vmcb::{Field, exit};

/// MSRs that are nowhere else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Msrs {
    vm_cr: u64,
    ignne: u64,
    pub(crate) hsave: u64,
    tsc_ratio: u64,
}

impl Msrs {
    /// As at reset, with the world's host save area.
    pub(crate) const RESET: Msrs =
        Msrs { vm_cr: 0, ignne: 0, hsave: crate::case::world::HSAVE, tsc_ratio: 1 << 32 };
}

impl Machine<'_> {
    /// The permission map's word on the MSR in ECX.
    fn msr_map(&mut self, msr: u32, write: bool) -> Flow {
        if self.guest.is_none() {
            return Ok(());
        }
        let wanted = self.wants(intercept::MSR_PROT);
        if !self.t.rule(r::PROT, wanted) {
            return Ok(());
        }
        let map = self.map_base(Field::MSRPM_BASE_PA);
        let (rule, base) = match msr {
            0..=0x1fff => (r::MAP_RANGE0, 0),
            0xc000_0000..=0xc000_1fff => (r::MAP_RANGE1, 0x800),
            0xc001_0000..=0xc001_1fff => (r::MAP_RANGE2, 0x1000),
            _ => (r::MAP_OUTSIDE, 0x1800),
        };
        let inside = rule != r::MAP_OUTSIDE;
        if self.t.rule(r::MAP_OUTSIDE, !inside) {
            return self.msr_exit(write);
        }
        // Outside of the ranges there is no base, only a model that has been broken.
        let base = if inside { self.t.said(rule, base) } else { base };
        let bit = u64::from(msr & 0x1fff) * 2 + u64::from(write);
        let byte = self.mem.read(map + base + bit / 8, 1);
        let rule = if write { r::MAP_WRITE } else { r::MAP_READ };
        if self.t.rule(rule, byte >> (bit % 8) & 1 == 1) {
            return self.msr_exit(write);
        }
        Ok(())
    }

    /// The base of a permission map.
    pub(crate) fn map_base(&mut self, field: Field) -> u64 {
        let base = self.guest.as_ref().map_or(0, |g| g.ctl.get(field));
        base & !self.t.said(vmrun::MAP_BASE_LOW, 0xfff)
    }

    fn msr_exit(&mut self, write: bool) -> Flow {
        let info = u64::from(self.t.rule(r::INFO1, write));
        self.exit_permission(exit::MSR, info, None)
    }

    fn msr_privileged(&mut self) -> Flow {
        if self.t.rule(r::CPL_GP, self.r.cpl != 0) {
            return Err(self.gp(0));
        }
        Ok(())
    }

    pub(crate) fn rdmsr(&mut self, _msr: u32) -> Flow {
        let msr = self.r.gpr[1] as u32;
        self.msr_privileged()?;
        self.msr_map(msr, false)?;
        if msr == msr::TSC {
            return self.read_tsc(tsc_scale::OFFSET_MSR);
        }
        let value = self.read_msr(msr)?;
        self.set_gpr(0, value & 0xffff_ffff);
        self.set_gpr(2, value >> 32);
        Ok(())
    }

    pub(crate) fn wrmsr(&mut self, _msr: u32, _value: u64) -> Flow {
        let msr = self.r.gpr[1] as u32;
        let value = self.r.gpr[2] << 32 | self.r.gpr[0] & 0xffff_ffff;
        self.msr_privileged()?;
        self.leaves(r::BEFORE_GP, Scene::Here)?;
        self.msr_map(msr, true)?;
        self.write_msr(msr, value)
    }

    /// The value of an MSR, or its #GP.
    pub(crate) fn read_msr(&mut self, msr: u32) -> Flow<u64> {
        let b = self.r.branches;
        let h = &self.r.hidden;
        Ok(match msr {
            msr::SYSENTER_CS => h.sysenter_cs,
            msr::SYSENTER_ESP => h.sysenter_esp,
            msr::SYSENTER_EIP => h.sysenter_eip,
            msr::DEBUGCTL => self.t.said(lbrv::DEBUGCTL_READ, b.debugctl),
            msr::BR_FROM => b.from,
            msr::BR_TO => b.to,
            msr::EXCP_FROM => b.excp_from,
            msr::EXCP_TO => b.excp_to,
            msr::PAT => self.r.pat,
            msr::EFER => self.r.efer,
            msr::STAR => h.star,
            msr::LSTAR => h.lstar,
            msr::CSTAR => h.cstar,
            msr::SFMASK => h.sfmask,
            msr::FS_BASE => h.fs.base,
            msr::GS_BASE => h.gs.base,
            msr::KERNEL_GS_BASE => h.kernel_gs_base,
            msr::TSC_RATIO => {
                self.tsc_ratio_offered()?;
                self.t.said(tsc_scale::RATIO_RESET, self.msr.tsc_ratio)
            }
            msr::SPEC_CTRL => self.read_spec_ctrl()?,
            msr::VM_CR => self.t.said(r::VM_CR_READ, self.msr.vm_cr),
            msr::IGNNE => self.t.said(r::IGNNE, self.msr.ignne),
            msr::SMM_CTL if self.t.does(r::SMM_CTL) => return Err(self.gp(0)),
            msr::VM_HSAVE_PA => self.t.said(r::HSAVE_READ, self.msr.hsave),
            msr::SVM_KEY => {
                self.svm_key_offered()?;
                0
            }
            _ => return Err(Stop::Open),
        })
    }

    fn tsc_ratio_offered(&mut self) -> Flow {
        let missing = !self.supported(CpuFeature::TscScale);
        if self.t.rule(tsc_scale::RATIO_SUPPORTED, missing) {
            return Err(self.gp(0));
        }
        Ok(())
    }

    fn svm_key_offered(&mut self) -> Flow {
        let missing = !self.supported(CpuFeature::SvmLock);
        if self.t.rule(r::SVM_KEY, missing) {
            return Err(self.gp(0));
        }
        Ok(())
    }

    /// Writes an MSR, or raises its #GP.
    pub(crate) fn write_msr(&mut self, msr: u32, value: u64) -> Flow {
        match msr {
            msr::EFER => return self.write_efer(value),
            msr::VM_CR => return self.write_vm_cr(value),
            msr::VM_HSAVE_PA => return self.write_hsave(value),
            msr::DEBUGCTL => return self.write_debugctl(value),
            msr::PAT => return self.write_pat(value),
            msr::SPEC_CTRL => return self.write_spec_ctrl(value),
            msr::IGNNE => self.msr.ignne = value & 1,
            msr::SVM_KEY => return self.svm_key_offered(),
            msr::TSC_RATIO => {
                self.tsc_ratio_offered()?;
                if self.t.rule(tsc_scale::RATIO_RESERVED, value >> 40 != 0) {
                    return Err(self.gp(0));
                }
                self.msr.tsc_ratio = value;
            }
            msr::LSTAR
            | msr::CSTAR
            | msr::FS_BASE
            | msr::GS_BASE
            | msr::KERNEL_GS_BASE => {
                let la57 = self.supported(CpuFeature::La57);
                let bad = sign_extend(value, la57) != value;
                if self.t.rule(r::CANONICAL, bad) {
                    return Err(self.gp(0));
                }
                self.write_base(msr, value);
            }
            msr::STAR => self.r.hidden.star = value,
            msr::SFMASK => self.r.hidden.sfmask = value,
            msr::SYSENTER_CS => self.r.hidden.sysenter_cs = value,
            _ => return Err(Stop::Open),
        }
        Ok(())
    }

    fn write_base(&mut self, msr: u32, value: u64) {
        let h = &mut self.r.hidden;
        match msr {
            msr::LSTAR => h.lstar = value,
            msr::CSTAR => h.cstar = value,
            msr::FS_BASE => h.fs.base = value,
            msr::GS_BASE => h.gs.base = value,
            _ => h.kernel_gs_base = value,
        }
    }

    fn write_efer(&mut self, value: u64) -> Flow {
        let svmdis = self.msr.vm_cr & vm_cr::SVMDIS != 0;
        let reserved = self.efer_reserved(value);
        if self.t.rule(r::EFER_RESERVED, reserved) {
            return Err(self.gp(0));
        }
        if value & efer::SVME != 0 && self.t.rule(r::EFER_SVME, svmdis) {
            return Err(self.gp(0));
        }
        let flips = (value ^ self.r.efer) & efer::LME != 0 && self.r.cr0 & cr0::PG != 0;
        if self.t.rule(r::EFER_LME_PG, flips) {
            return Err(self.gp(0));
        }
        if self.guest.is_some() && value & efer::SVME == 0 {
            // A guest that clears SVME under its VMM: undefined (15.4).
            return Err(Stop::Open);
        }
        self.r.efer = value & !efer::LMA | self.r.efer & efer::LMA;
        let trap = self.wants(intercept::EFER_WRITE_TRAP);
        if trap {
            self.leaves(intercepts::EFER_TRAP_INERT, Scene::Here)?;
        }
        Ok(())
    }

    /// The bits of SPEC_CTRL that the processor has; without any there is no MSR.
    pub(crate) fn spec_ctrl_bits(&self) -> u64 {
        let bits = [CpuFeature::Ibrs, CpuFeature::Stibp, CpuFeature::Ssbd];
        (0..).zip(bits).map(|(bit, feature)| u64::from(self.supported(feature)) << bit).sum()
    }

    fn read_spec_ctrl(&mut self) -> Flow<u64> {
        let known = self.spec_ctrl_bits();
        if known == 0 || self.r.spec_ctrl & !known != 0 {
            Err(Stop::Open)
        } else {
            Ok(self.r.spec_ctrl)
        }
    }

    fn write_spec_ctrl(&mut self, value: u64) -> Flow {
        let known = self.spec_ctrl_bits();
        if known == 0 {
            return Err(Stop::Open);
        }
        if self.t.rule(spec_ctrl::RESERVED, value & !known != 0) {
            return Err(self.gp(0));
        }
        self.r.spec_ctrl = value;
        Ok(())
    }

    fn write_vm_cr(&mut self, value: u64) -> Flow {
        if self.t.rule(r::VM_CR_RESERVED, value & vm_cr::RESERVED != 0) {
            return Err(self.gp(0));
        }
        let disables = value & vm_cr::SVMDIS != 0 && self.msr.vm_cr & vm_cr::SVMDIS == 0;
        let enabled = self.r.efer & efer::SVME != 0;
        if disables && self.t.rule(r::VM_CR_SVMDIS, enabled) {
            return Err(self.gp(0));
        }
        if value & vm_cr::LOCK != 0 {
            // Only a reset undoes it: no case goes there.
            return Err(Stop::Open);
        }
        self.msr.vm_cr = value;
        Ok(())
    }

    fn write_hsave(&mut self, value: u64) -> Flow {
        let outside = !self.physical(value);
        if self.t.rule(r::HSAVE_ALIGNED, value & 0xfff != 0) || self.t.rule(r::HSAVE_PHYS, outside)
        {
            return Err(self.gp(0));
        }
        self.msr.hsave = value;
        Ok(())
    }

    fn write_debugctl(&mut self, value: u64) -> Flow {
        if self.t.rule(lbrv::DEBUGCTL_RESERVED, value & !0x3f != 0) {
            return Err(self.gp(0));
        }
        self.r.branches.debugctl = value;
        Ok(())
    }

    fn write_pat(&mut self, value: u64) -> Flow {
        if !crate::features::vmrun::checks::pat_valid(value) {
            return Err(self.gp(0));
        }
        if self.guest.is_none() || self.t.does(npt::GPAT_WRITE) {
            self.r.pat = value;
        }
        Ok(())
    }
}
