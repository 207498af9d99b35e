//! The intercept bits of the VMCB's control area that stand for one thing each (APM vol. 2,
//! appendix B, vectors 3 to 5).

use crate::arch::vmcb::Field;

/// One bit, and the field that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bit {
    field: Field,
    number: u8,
}

impl Bit {
    /// The field.
    pub const fn field(self) -> Field {
        self.field
    }

    /// The bit's number in it.
    pub const fn number(self) -> u8 {
        self.number
    }

    /// The field with that bit alone.
    pub const fn mask(self) -> u64 {
        1 << self.number
    }
}

macro_rules! bits {
    ($($field:ident: $($(#[$doc:meta])* $name:ident = $number:literal,)*;)*) => {
        $($($(#[$doc])*
        pub const $name: Bit = Bit { field: Field::$field, number: $number };)*)*

        /// Every bit with its name, by field and number.
        pub const ALL: &[(Bit, &str)] = &[$($(($name, stringify!($name)),)*)*];
    };
}

bits! {
    INTERCEPT_MISC1:
        /// Physical interrupts.
        INTR = 0,
        /// Physical NMIs.
        NMI = 1,
        /// Physical SMIs.
        SMI = 2,
        /// Physical INITs.
        INIT = 3,
        /// Virtual interrupts.
        VINTR = 4,
        /// Writes of CR0 that change more than TS and MP.
        CR0_SEL_WRITE = 5,
        /// SIDT.
        SIDT = 6,
        /// SGDT.
        SGDT = 7,
        /// SLDT.
        SLDT = 8,
        /// STR.
        STR = 9,
        /// LIDT.
        LIDT = 10,
        /// LGDT.
        LGDT = 11,
        /// LLDT.
        LLDT = 12,
        /// LTR.
        LTR = 13,
        /// RDTSC.
        RDTSC = 14,
        /// RDPMC.
        RDPMC = 15,
        /// PUSHF.
        PUSHF = 16,
        /// POPF.
        POPF = 17,
        /// CPUID.
        CPUID = 18,
        /// RSM.
        RSM = 19,
        /// IRET.
        IRET = 20,
        /// INTn.
        SWINT = 21,
        /// INVD.
        INVD = 22,
        /// PAUSE.
        PAUSE = 23,
        /// HLT.
        HLT = 24,
        /// INVLPG.
        INVLPG = 25,
        /// INVLPGA.
        INVLPGA = 26,
        /// IN and OUT, where the I/O permission map says so.
        IOIO_PROT = 27,
        /// RDMSR and WRMSR, where the MSR permission map says so.
        MSR_PROT = 28,
        /// Task switches.
        TASK_SWITCH = 29,
        /// FERR freeze.
        FERR_FREEZE = 30,
        /// Shutdowns.
        SHUTDOWN = 31,
    ;
    INTERCEPT_MISC2:
        /// VMRUN; must be set.
        VMRUN = 0,
        /// VMMCALL.
        VMMCALL = 1,
        /// VMLOAD.
        VMLOAD = 2,
        /// VMSAVE.
        VMSAVE = 3,
        /// STGI.
        STGI = 4,
        /// CLGI.
        CLGI = 5,
        /// SKINIT.
        SKINIT = 6,
        /// RDTSCP.
        RDTSCP = 7,
        /// INT1.
        ICEBP = 8,
        /// WBINVD and WBNOINVD.
        WBINVD = 9,
        /// MONITOR and MONITORX.
        MONITOR = 10,
        /// MWAIT and MWAITX.
        MWAIT = 11,
        /// MWAIT with the monitor armed.
        MWAIT_ARMED = 12,
        /// XSETBV.
        XSETBV = 13,
        /// RDPRU.
        RDPRU = 14,
        /// After a write of EFER.
        EFER_WRITE_TRAP = 15,
        /// After a write of CR0; that of CRn is n bits further up.
        CR0_WRITE_TRAP = 16,
    ;
    INTERCEPT_MISC3:
        /// INVLPGB.
        INVLPGB = 0,
        /// INVPCID.
        INVPCID = 2,
        /// MCOMMIT.
        MCOMMIT = 3,
        /// TLBSYNC.
        TLBSYNC = 4,
        /// Bus locks, which are counted.
        BUS_LOCK = 5,
        /// HLT with nothing virtual pending.
        IDLE_HLT = 6,
    ;
}
