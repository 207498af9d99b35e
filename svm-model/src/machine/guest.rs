//! The guest that runs: its VMCB's controls as VMRUN read them, what of the
//! virtual interrupt state changes while it runs, and the host to return to.

use crate::arch::{flag, int_ctl};
use crate::machine::delivery::Event;
use crate::machine::registers::{Branches, Regs};
use crate::vmcb::{Field, Image};

/// A running guest.
pub(crate) struct Guest {
    /// Where its VMCB is.
    pub(crate) vmcb_pa: u64,
    /// The VMCB as VMRUN read it; once, so that later writes by anyone change nothing.
    pub(crate) ctl: Image,
    /// INT_CTL as it is by now.
    pub(crate) int_ctl: u64,
    /// Virtual GIF is enabled and offered.
    pub(crate) vgif: bool,
    /// Virtual NMI is enabled and offered.
    pub(crate) vnmi: bool,
    /// Nested paging is on.
    pub(crate) nested: bool,
    /// LBR virtualisation is enabled and offered.
    pub(crate) lbrv: bool,
    /// GMET is enabled and offered.
    pub(crate) gmet: bool,
    /// VMLOAD and VMSAVE are virtualised.
    pub(crate) vls: bool,
    /// PAUSEs left before one exits.
    pub(crate) pauses: u64,
    /// The idle HLT intercept is set and offered.
    pub(crate) idle_hlt: bool,
    /// Bus locks are counted.
    pub(crate) bus_lock: bool,
    /// Bus locks left before one exits.
    pub(crate) bus_locks: u64,
    /// SPEC_CTRL is the guest's own.
    pub(crate) spec_ctrl: bool,
    /// The event being delivered, for EXITINTINFO.
    pub(crate) delivering: Option<Event>,
    /// The host's registers, as VMRUN found them.
    pub(crate) host: Regs,
    /// The host's last-branch state.
    pub(crate) host_branches: Branches,
}

impl Guest {
    /// V_TPR.
    pub(crate) fn v_tpr(&self) -> u64 {
        self.int_ctl & int_ctl::V_TPR
    }

    /// Whether that bit of INT_CTL is set by now.
    pub(crate) fn int(&self, bit: u64) -> bool {
        self.int_ctl & bit != 0
    }

    /// Whether the host allowed interrupts when it executed VMRUN.
    pub(crate) fn host_if(&self) -> bool {
        self.host.rflags & flag::IF != 0
    }

    /// Whether that bit of an intercept field is set.
    pub(crate) fn intercepts(&self, field: Field, bit: u8) -> bool {
        self.ctl.get(field) >> bit & 1 == 1
    }
}
