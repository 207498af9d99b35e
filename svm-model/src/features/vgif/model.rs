//! SVM's own instructions, in the guest and in L1 (15.5.2, 15.17, 15.33).

use crate::arch::{efer, int_ctl, intercept};
use crate::features::intercepts::model as i;
use crate::machine::{Flow, Machine, Scene, Stop};
use crate::case::insn::Insn;
use crate::cpu::CpuFeature;
use crate::rules::{intercepts as r, tlb_asid, vgif, vmload_vmsave as vl};

impl Machine<'_> {
    pub(crate) fn svm_instruction(&mut self, insn: &Insn) -> Flow {
        match insn {
            Insn::Vmmcall => {
                self.intercept(&i::VMMCALL)?;
                if self.t.does(r::VMMCALL_UD) {
                    return Err(self.ud());
                }
                Ok(())
            }
            Insn::Vmrun => self.guest_vmrun(),
            Insn::Vmload => self.vmload_or_save(false),
            Insn::Vmsave => self.vmload_or_save(true),
            Insn::Stgi => self.stgi(),
            Insn::Clgi => self.clgi(),
            Insn::Invlpga => self.invlpga(),
            _ => self.skinit(),
        }
    }

    fn svme(&self) -> bool {
        self.r.efer & efer::SVME != 0
    }

    /// VMRUN in the guest, where its intercept is always set.
    fn guest_vmrun(&mut self) -> Flow {
        if self.guest.is_none() {
            return Err(Stop::Open);
        }
        self.privileged()?;
        let rax = self.operand(0)?;
        let bad = rax & 0xfff != 0 || !self.physical(rax);
        if bad {
            let first = !self.supported(CpuFeature::AddrChk);
            if self.t.rule(vl::ADDR_BEFORE_INTERCEPT, first) {
                return Err(self.gp(0));
            }
        }
        self.intercept(&i::VMRUN)?;
        Err(Stop::Open)
    }

    fn stgi(&mut self) -> Flow {
        if !self.svme() {
            let startup = self.supported(CpuFeature::Skinit) || self.supported(CpuFeature::SvmLock);
            if self.t.rule(vgif::STGI_UD, !startup) {
                return Err(self.ud());
            }
        }
        self.privileged()?;
        if self.guest.is_some() {
            return self.guest_gif(true);
        }
        if self.t.does(vgif::STGI_SETS) {
            self.gif = true;
        }
        Ok(())
    }

    fn clgi(&mut self) -> Flow {
        if self.t.rule(vgif::CLGI_UD, !self.svme()) {
            return Err(self.ud());
        }
        self.privileged()?;
        if self.guest.is_some() {
            return self.guest_gif(false);
        }
        if self.t.does(vgif::CLGI_CLEARS) {
            self.gif = false;
        }
        Ok(())
    }

    /// STGI and CLGI in the guest: intercepted, virtual, or real.
    fn guest_gif(&mut self, set: bool) -> Flow {
        let vgif = self.guest.as_ref().is_some_and(|g| g.vgif);
        if !vgif || self.t.does(vgif::VGIF_INTERCEPT_WINS) {
            self.intercept(if set { &i::STGI } else { &i::CLGI })?;
        }
        if self.t.rule(vgif::GUEST_CLGI_REAL, !vgif) {
            self.gif = set;
            return Ok(());
        }
        let rule = if set { vgif::VGIF_STGI } else { vgif::VGIF_CLGI };
        if self.t.does(rule)
            && let Some(guest) = &mut self.guest
        {
            guest.int_ctl &= !int_ctl::V_GIF;
            guest.int_ctl |= if set { int_ctl::V_GIF } else { 0 };
        }
        Ok(())
    }

    fn invlpga(&mut self) -> Flow {
        if self.t.rule(tlb_asid::INVLPGA_UD, !self.svme()) {
            return Err(self.ud());
        }
        self.privileged()?;
        self.intercept(&i::INVLPGA)?;
        let canonical = self.r.canonical(self.operand(0)?);
        if !canonical {
            self.leaves(tlb_asid::INVLPGA_NONCANONICAL, Scene::Here)?;
        }
        self.leaves(tlb_asid::INVLPGA_OK, Scene::Here)
    }

    fn skinit(&mut self) -> Flow {
        self.offered(CpuFeature::Skinit)?;
        self.privileged()?;
        if self.wants(intercept::SKINIT) {
            self.intercept(&i::SKINIT)?;
        }
        Err(Stop::Open)
    }
}
