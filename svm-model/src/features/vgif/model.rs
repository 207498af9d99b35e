//! SVM's own instructions, in the guest and in L1 (15.5.2, 15.17, 15.33).

use crate::arch::cpu::CpuFeature;
use crate::arch::{efer, int_ctl};
use crate::features::intercepts::table;
use crate::machine::{Flow, Machine};
use crate::rules::vgif;

impl Machine<'_> {
    pub(crate) fn svme(&self) -> bool {
        self.r.efer & efer::SVME != 0
    }

    pub(crate) fn stgi(&mut self) -> Flow {
        if !self.svme() {
            let startup = self.supported(CpuFeature::Skinit) || self.supported(CpuFeature::SvmLock);
            if self.t.rule(vgif::STGI_UD, !startup) {
                return Err(self.ud());
            }
        }
        self.protected_mode()?;
        self.privileged()?;
        if self.guest.is_some() {
            return self.guest_gif(true);
        }
        if self.t.does(vgif::STGI_SETS) {
            self.gif = true;
        }
        Ok(())
    }

    pub(crate) fn clgi(&mut self) -> Flow {
        if self.t.rule(vgif::CLGI_UD, !self.svme()) {
            return Err(self.ud());
        }
        self.protected_mode()?;
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
            self.intercept(if set { &table::STGI } else { &table::CLGI })?;
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
}
