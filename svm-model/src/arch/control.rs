//! Bits of the VMCB's control area (APM vol. 2, appendix B), intercepts apart
//! ([`super::intercept`]).

/// INT_CTL: the virtual interrupt controls (15.21, 15.33.2).
pub mod int_ctl {
    /// V_TPR, eight bits.
    pub const V_TPR: u64 = 0xff;
    /// A virtual interrupt is pending.
    pub const V_IRQ: u64 = 1 << 8;
    /// Virtual GIF.
    pub const V_GIF: u64 = 1 << 9;
    /// A virtual NMI is pending.
    pub const V_NMI: u64 = 1 << 11;
    /// Virtual NMIs are masked.
    pub const V_NMI_MASK: u64 = 1 << 12;
    /// The virtual interrupt's priority, four bits.
    pub const V_INTR_PRIO: u64 = 0xf << 16;
    /// The virtual interrupt's priority is not compared with V_TPR.
    pub const V_IGN_TPR: u64 = 1 << 20;
    /// Virtual interrupt masking: the host's IF and TPR hold physical interrupts.
    pub const V_INTR_MASKING: u64 = 1 << 24;
    /// Virtual GIF is enabled.
    pub const V_GIF_ENABLE: u64 = 1 << 25;
    /// Virtual NMIs are enabled.
    pub const V_NMI_ENABLE: u64 = 1 << 26;
}

/// INT_STATE (15.21.5).
pub mod int_state {
    /// The guest is in an interrupt shadow.
    pub const SHADOW: u64 = 1;
}

/// NESTED_CTL: nested paging (15.25.3, 15.25.13).
pub mod nested_ctl {
    /// Nested paging.
    pub const NP_ENABLE: u64 = 1;
    /// Guest mode execute trap.
    pub const GMET_ENABLE: u64 = 1 << 3;
}

/// VIRT_EXT (15.23, 15.33.1).
pub mod virt_ext {
    /// LBR virtualisation.
    pub const LBR: u64 = 1;
    /// Virtualised VMLOAD and VMSAVE.
    pub const VMLOAD_VMSAVE: u64 = 1 << 1;
}

/// TLB_CONTROL (15.16.1).
pub mod tlb_control {
    /// Nothing is flushed.
    pub const NOTHING: u64 = 0;
    /// All entries.
    pub const ALL: u64 = 1;
    /// This guest's entries.
    pub const GUEST: u64 = 3;
    /// This guest's entries that are not global.
    pub const GUEST_NON_GLOBAL: u64 = 7;
}

/// EVENTINJ and EXITINTINFO (15.20, 15.7.2).
pub mod event {
    /// TYPE 0: an external or virtual interrupt.
    pub const INTR: u64 = 0;
    /// TYPE 2: an NMI.
    pub const NMI: u64 = 2 << 8;
    /// TYPE 3: an exception.
    pub const EXCEPTION: u64 = 3 << 8;
    /// TYPE 4: a software interrupt.
    pub const SOFTWARE: u64 = 4 << 8;
    /// EV: there is an error code.
    pub const EV: u64 = 1 << 11;
    /// V: there is an event.
    pub const V: u64 = 1 << 31;
}

/// EXITINFO1 of an I/O exit (15.10.2).
pub mod ioio {
    /// IN; else OUT.
    pub const IN: u64 = 1;
    /// INS or OUTS.
    pub const STRING: u64 = 1 << 2;
    /// With a REP prefix.
    pub const REP: u64 = 1 << 3;
    /// The operand's size in bytes, shifted here: bits 6:4.
    pub const SIZE_SHIFT: u32 = 4;
    /// Addresses have 64 bits.
    pub const ADDRESS_64: u64 = 1 << 9;
    /// The effective segment, bits 12:10: ES 0, DS 3.
    pub const SEGMENT_SHIFT: u32 = 10;
    /// The port, bits 31:16.
    pub const PORT_SHIFT: u32 = 16;
}

/// EXITINFO1 of an intercepted MOV CR with decode assists: the register is named (15.8.1).
pub const MOV_CR: u64 = 1 << 63;
/// EXITINFO2 of a task switch: a far jump caused it (15.14.1).
pub const TASK_BY_JUMP: u64 = 1 << 38;
/// Bytes of the MSR permission map (15.11).
pub const MSRPM_SIZE: u64 = 0x2000;
/// Bytes of the I/O permission map (15.10.1).
pub const IOPM_SIZE: u64 = 0x3000;
