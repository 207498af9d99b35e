//! RDMSR and WRMSR: the permission map, SVM's own MSRs, and the few others
//! that cases use (15.11, 15.30, 15.31).

use crate::arch::cpu::CpuFeature;
use crate::arch::msr as number;
use crate::arch::vmcb::Field;
use crate::arch::{cr0, efer, exit, intercept, vm_cr};
use crate::machine::registers::sign_extend;
use crate::machine::{Flow, Machine, Scene, Stop};
use crate::rules::{intercepts, lbrv, msr, npt, tsc_scale, vmrun};

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
        if !self.t.rule(msr::PROT, wanted) {
            return Ok(());
        }
        let map = self.map_base(Field::MSRPM_BASE_PA);
        let (rule, base) = match msr {
            0..=0x1fff => (msr::MAP_RANGE0, 0),
            0xc000_0000..=0xc000_1fff => (msr::MAP_RANGE1, 0x800),
            0xc001_0000..=0xc001_1fff => (msr::MAP_RANGE2, 0x1000),
            _ => (msr::MAP_OUTSIDE, 0x1800),
        };
        let inside = rule != msr::MAP_OUTSIDE;
        if self.t.rule(msr::MAP_OUTSIDE, !inside) {
            return self.msr_exit(write);
        }
        let base = self.t.said(rule, base);
        let bit = u64::from(msr & 0x1fff) * 2 + u64::from(write);
        let byte = self.mem.read(map + base + bit / 8, 1);
        let rule = if write { msr::MAP_WRITE } else { msr::MAP_READ };
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
        let info = u64::from(self.t.rule(msr::INFO1, write));
        self.exit_permission(exit::MSR, Some(info), None)
    }

    fn msr_privileged(&mut self) -> Flow {
        if self.t.rule(msr::CPL_GP, self.r.cpl != 0) {
            return Err(self.gp(0));
        }
        Ok(())
    }

    pub(crate) fn rdmsr(&mut self, _msr: u32) -> Flow {
        let msr = self.r.gpr[1] as u32;
        self.msr_privileged()?;
        self.msr_map(msr, false)?;
        if msr == number::TSC {
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
        self.leaves(msr::BEFORE_GP, Scene::Here)?;
        self.msr_map(msr, true)?;
        self.write_msr(msr, value)
    }

    /// The value of an MSR, or its #GP.
    pub(crate) fn read_msr(&mut self, msr: u32) -> Flow<u64> {
        let b = self.r.branches;
        let h = &self.r.hidden;
        Ok(match msr {
            number::SYSENTER_CS => h.sysenter_cs,
            number::SYSENTER_ESP => h.sysenter_esp,
            number::SYSENTER_EIP => h.sysenter_eip,
            number::DEBUGCTL => self.t.said(lbrv::DEBUGCTL_READ, b.debugctl),
            // Of branches of L1, or of an earlier case.
            number::BR_FROM | number::BR_TO if b.foreign => return Err(Stop::Open),
            number::BR_FROM => b.from,
            number::BR_TO => b.to,
            number::EXCP_FROM => b.excp_from,
            number::EXCP_TO => b.excp_to,
            number::PAT => self.r.pat,
            number::EFER => self.r.efer,
            number::STAR => h.star,
            number::LSTAR => h.lstar,
            number::CSTAR => h.cstar,
            number::SFMASK => h.sfmask,
            number::FS_BASE => h.fs.base,
            number::GS_BASE => h.gs.base,
            number::KERNEL_GS_BASE => h.kernel_gs_base,
            number::TSC_RATIO => {
                self.tsc_ratio_offered()?;
                self.t.said(tsc_scale::RATIO_RESET, self.msr.tsc_ratio)
            }
            number::SPEC_CTRL => self.read_spec_ctrl()?,
            number::VM_CR => self.t.said(msr::VM_CR_READ, self.msr.vm_cr),
            number::IGNNE => self.t.said(msr::IGNNE, self.msr.ignne),
            number::SMM_CTL if self.t.does(msr::SMM_CTL) => return Err(self.gp(0)),
            number::VM_HSAVE_PA => self.t.said(msr::HSAVE_READ, self.msr.hsave),
            number::SVM_KEY => {
                self.svm_key_offered()?;
                0
            }
            _ => return Err(Stop::Open),
        })
    }

    fn svm_key_offered(&mut self) -> Flow {
        let missing = !self.supported(CpuFeature::SvmLock);
        if self.t.rule(msr::SVM_KEY, missing) {
            return Err(self.gp(0));
        }
        Ok(())
    }

    /// Writes an MSR, or raises its #GP.
    pub(crate) fn write_msr(&mut self, msr: u32, value: u64) -> Flow {
        match msr {
            number::EFER => return self.write_efer(value),
            number::VM_CR => return self.write_vm_cr(value),
            number::VM_HSAVE_PA => return self.write_hsave(value),
            number::DEBUGCTL => return self.write_debugctl(value),
            number::PAT => return self.write_pat(value),
            number::SPEC_CTRL => return self.write_spec_ctrl(value),
            number::IGNNE => self.msr.ignne = value & 1,
            number::SVM_KEY => return self.svm_key_offered(),
            number::TSC_RATIO => {
                self.tsc_ratio_offered()?;
                if self.t.rule(tsc_scale::RATIO_RESERVED, value >> 40 != 0) {
                    return Err(self.gp(0));
                }
                self.msr.tsc_ratio = value;
            }
            number::LSTAR
            | number::CSTAR
            | number::FS_BASE
            | number::GS_BASE
            | number::KERNEL_GS_BASE => {
                let la57 = self.supported(CpuFeature::La57);
                let bad = sign_extend(value, la57) != value;
                if self.t.rule(msr::CANONICAL, bad) {
                    return Err(self.gp(0));
                }
                self.write_base(msr, value);
            }
            number::STAR => self.r.hidden.star = value,
            number::SFMASK => self.r.hidden.sfmask = value,
            number::SYSENTER_CS => self.r.hidden.sysenter_cs = value,
            _ => return Err(Stop::Open),
        }
        Ok(())
    }

    fn write_base(&mut self, msr: u32, value: u64) {
        let h = &mut self.r.hidden;
        match msr {
            number::LSTAR => h.lstar = value,
            number::CSTAR => h.cstar = value,
            number::FS_BASE => h.fs.base = value,
            number::GS_BASE => h.gs.base = value,
            _ => h.kernel_gs_base = value,
        }
    }

    fn write_efer(&mut self, value: u64) -> Flow {
        let svmdis = self.msr.vm_cr & vm_cr::SVMDIS != 0;
        let reserved = self.efer_reserved(value);
        if self.t.rule(msr::EFER_RESERVED, reserved) {
            return Err(self.gp(0));
        }
        if value & efer::SVME != 0 && self.t.rule(msr::EFER_SVME, svmdis) {
            return Err(self.gp(0));
        }
        let flips = (value ^ self.r.efer) & efer::LME != 0 && self.r.cr0 & cr0::PG != 0;
        if self.t.rule(msr::EFER_LME_PG, flips) {
            return Err(self.gp(0));
        }
        if self.guest.is_some() && value & efer::SVME == 0 {
            // A guest that clears SVME under its VMM: undefined (15.4).
            return Err(Stop::Open);
        }
        self.r.efer = value & !(efer::LMA | efer::RAZ) | self.r.efer & efer::LMA;
        let trap = self.wants(intercept::EFER_WRITE_TRAP);
        if trap {
            self.leaves(intercepts::EFER_TRAP_INERT, Scene::Here)?;
        }
        Ok(())
    }

    fn write_vm_cr(&mut self, value: u64) -> Flow {
        if self.t.rule(msr::VM_CR_RESERVED, value & vm_cr::RESERVED != 0) {
            return Err(self.gp(0));
        }
        let disables = value & vm_cr::SVMDIS != 0 && self.msr.vm_cr & vm_cr::SVMDIS == 0;
        let enabled = self.r.efer & efer::SVME != 0;
        if disables && self.t.rule(msr::VM_CR_SVMDIS, enabled) {
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
        if self.t.rule(msr::HSAVE_ALIGNED, value & 0xfff != 0)
            || self.t.rule(msr::HSAVE_PHYS, outside)
        {
            return Err(self.gp(0));
        }
        self.msr.hsave = value;
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
