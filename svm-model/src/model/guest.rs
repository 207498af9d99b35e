//! The guest that runs: its VMCB's controls as VMRUN read them, what of the
//! virtual interrupt state changes while it runs, and the host to return to.

use super::event::Event;
use super::regs::{Branches, Regs, flag};
use crate::vmcb::{Field, Image};

/// INT_CTL bits.
pub(super) mod int_ctl {
    pub(in crate::model) const V_TPR: u64 = 0xff;
    pub(in crate::model) const V_IRQ: u64 = 1 << 8;
    pub(in crate::model) const V_GIF: u64 = 1 << 9;
    pub(in crate::model) const V_NMI: u64 = 1 << 11;
    pub(in crate::model) const V_NMI_MASK: u64 = 1 << 12;
    pub(in crate::model) const V_INTR_PRIO: u64 = 0xf << 16;
    pub(in crate::model) const V_IGN_TPR: u64 = 1 << 20;
    pub(in crate::model) const V_INTR_MASKING: u64 = 1 << 24;
    pub(in crate::model) const V_GIF_ENABLE: u64 = 1 << 25;
    pub(in crate::model) const V_NMI_ENABLE: u64 = 1 << 26;
}

/// A running guest.
pub(super) struct Guest {
    /// Where its VMCB is.
    pub(super) vmcb_pa: u64,
    /// The VMCB as VMRUN read it; once, so that later writes by anyone change nothing.
    pub(super) ctl: Image,
    /// INT_CTL as it is by now.
    pub(super) int_ctl: u64,
    /// Virtual GIF is enabled and offered.
    pub(super) vgif: bool,
    /// Virtual NMI is enabled and offered.
    pub(super) vnmi: bool,
    /// Nested paging is on.
    pub(super) nested: bool,
    /// LBR virtualisation is enabled and offered.
    pub(super) lbrv: bool,
    /// GMET is enabled and offered.
    pub(super) gmet: bool,
    /// VMLOAD and VMSAVE are virtualised.
    pub(super) vls: bool,
    /// PAUSEs left before one exits.
    pub(super) pauses: u64,
    /// The idle HLT intercept is set and offered.
    pub(super) idle_hlt: bool,
    /// Bus locks are counted.
    pub(super) bus_lock: bool,
    /// Bus locks left before one exits.
    pub(super) bus_locks: u64,
    /// SPEC_CTRL is the guest's own.
    pub(super) spec_ctrl: bool,
    /// The event being delivered, for EXITINTINFO.
    pub(super) delivering: Option<Event>,
    /// The host's registers, as VMRUN found them.
    pub(super) host: Regs,
    /// The host's last-branch state.
    pub(super) host_branches: Branches,
}

impl Guest {
    /// V_TPR.
    pub(super) fn v_tpr(&self) -> u64 {
        self.int_ctl & int_ctl::V_TPR
    }

    /// Whether that bit of INT_CTL is set by now.
    pub(super) fn int(&self, bit: u64) -> bool {
        self.int_ctl & bit != 0
    }

    /// Whether the host allowed interrupts when it executed VMRUN.
    pub(super) fn host_if(&self) -> bool {
        self.host.rflags & flag::IF != 0
    }

    /// Whether that bit of an intercept field is set.
    pub(super) fn intercepts(&self, field: Field, bit: u8) -> bool {
        self.ctl.get(field) >> bit & 1 == 1
    }
}
