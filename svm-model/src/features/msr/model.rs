//! RDMSR and WRMSR: the permission map, SVM's own MSRs, and the few others
//! that cases use (15.11, 15.30, 15.31).

use crate::machine::registers::{cr0, efer, sign_extend};
use crate::machine::{Flow, Machine, Stop};
use crate::cpu::CpuFeature;
use crate::rules::{intercepts, lbrv, msr as r, npt, spec_ctrl, tsc_scale, vmrun};
use crate::vmcb::{Field, exit};

/// MSR numbers.
pub(crate) mod number {
    pub(crate) const TSC: u32 = 0x10;
    pub(crate) const SPEC_CTRL: u32 = 0x48;
    pub(crate) const SYSENTER_CS: u32 = 0x174;
    pub(crate) const SYSENTER_ESP: u32 = 0x175;
    pub(crate) const SYSENTER_EIP: u32 = 0x176;
    pub(crate) const DEBUGCTL: u32 = 0x1d9;
    pub(crate) const BR_FROM: u32 = 0x1db;
    pub(crate) const BR_TO: u32 = 0x1dc;
    pub(crate) const EXCP_FROM: u32 = 0x1dd;
    pub(crate) const EXCP_TO: u32 = 0x1de;
    pub(crate) const PAT: u32 = 0x277;
    pub(crate) const EFER: u32 = 0xc000_0080;
    pub(crate) const STAR: u32 = 0xc000_0081;
    pub(crate) const LSTAR: u32 = 0xc000_0082;
    pub(crate) const CSTAR: u32 = 0xc000_0083;
    pub(crate) const SFMASK: u32 = 0xc000_0084;
    pub(crate) const FS_BASE: u32 = 0xc000_0100;
    pub(crate) const GS_BASE: u32 = 0xc000_0101;
    pub(crate) const KERNEL_GS_BASE: u32 = 0xc000_0102;
    pub(crate) const TSC_RATIO: u32 = 0xc000_0104;
    pub(crate) const VM_CR: u32 = 0xc001_0114;
    pub(crate) const IGNNE: u32 = 0xc001_0115;
    pub(crate) const SMM_CTL: u32 = 0xc001_0116;
    pub(crate) const VM_HSAVE_PA: u32 = 0xc001_0117;
    pub(crate) const SVM_KEY: u32 = 0xc001_0118;
}

/// VM_CR bits.
mod vm_cr {
    pub(crate) const LOCK: u64 = 1 << 3;
    pub(crate) const SVMDIS: u64 = 1 << 4;
    pub(crate) const RESERVED: u64 = !0x1f;
}

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
        let wanted = self.intercepts(Field::INTERCEPT_MISC1, 28);
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
        let base = if self.t.does(rule) { base } else { base ^ 0x800 };
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
        if self.t.does(vmrun::MAP_BASE_LOW) { base & !0xfff } else { base }
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
        if !self.t.does(r::BEFORE_GP) {
            self.write_msr(msr, value)?;
        }
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
            number::DEBUGCTL if self.t.does(lbrv::DEBUGCTL_READ) => b.debugctl,
            number::DEBUGCTL => !b.debugctl,
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
                if self.t.does(tsc_scale::RATIO_RESET) {
                    self.msr.tsc_ratio
                } else {
                    !self.msr.tsc_ratio
                }
            }
            number::SPEC_CTRL => self.read_spec_ctrl()?,
            number::VM_CR if self.t.does(r::VM_CR_READ) => self.msr.vm_cr,
            number::VM_CR => !self.msr.vm_cr,
            number::IGNNE if self.t.does(r::IGNNE) => self.msr.ignne,
            number::IGNNE => !self.msr.ignne,
            number::SMM_CTL if self.t.does(r::SMM_CTL) => return Err(self.gp(0)),
            number::SMM_CTL => 0,
            number::VM_HSAVE_PA if self.t.does(r::HSAVE_READ) => self.msr.hsave,
            number::VM_HSAVE_PA => !self.msr.hsave,
            number::SVM_KEY => {
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
                if self.t.rule(r::CANONICAL, bad) {
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
        let trap = self.intercepts(Field::INTERCEPT_MISC2, 15);
        if trap && !self.t.does(intercepts::EFER_TRAP_INERT) {
            return self.exit_control(exit::EFER_WRITE_TRAP, None);
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
