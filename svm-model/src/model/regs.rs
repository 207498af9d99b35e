//! The processor's registers, as far as SVM switches, checks or reports them.

use crate::case::world;
use crate::vmcb::{Field, Image};

/// CR0 bits.
pub(super) mod cr0 {
    pub(in crate::model) const PE: u64 = 1;
    pub(in crate::model) const MP: u64 = 1 << 1;
    pub(in crate::model) const EM: u64 = 1 << 2;
    pub(in crate::model) const TS: u64 = 1 << 3;
    pub(in crate::model) const ET: u64 = 1 << 4;
    pub(in crate::model) const WP: u64 = 1 << 16;
    pub(in crate::model) const AM: u64 = 1 << 18;
    pub(in crate::model) const NW: u64 = 1 << 29;
    pub(in crate::model) const CD: u64 = 1 << 30;
    pub(in crate::model) const PG: u64 = 1 << 31;
}

/// CR4 bits.
pub(super) mod cr4 {
    pub(in crate::model) const TSD: u64 = 1 << 2;
    pub(in crate::model) const DE: u64 = 1 << 3;
    pub(in crate::model) const PSE: u64 = 1 << 4;
    pub(in crate::model) const PAE: u64 = 1 << 5;
    pub(in crate::model) const PCE: u64 = 1 << 8;
    pub(in crate::model) const UMIP: u64 = 1 << 11;
    pub(in crate::model) const LA57: u64 = 1 << 12;
    pub(in crate::model) const FSGSBASE: u64 = 1 << 16;
    pub(in crate::model) const PCIDE: u64 = 1 << 17;
    pub(in crate::model) const OSXSAVE: u64 = 1 << 18;
    pub(in crate::model) const SMEP: u64 = 1 << 20;
    pub(in crate::model) const SMAP: u64 = 1 << 21;
    pub(in crate::model) const PKE: u64 = 1 << 22;
    pub(in crate::model) const CET: u64 = 1 << 23;
}

/// EFER bits.
pub(super) mod efer {
    pub(in crate::model) const SCE: u64 = 1;
    pub(in crate::model) const LME: u64 = 1 << 8;
    pub(in crate::model) const LMA: u64 = 1 << 10;
    pub(in crate::model) const NXE: u64 = 1 << 11;
    pub(in crate::model) const SVME: u64 = 1 << 12;
    pub(in crate::model) const LMSLE: u64 = 1 << 13;
    pub(in crate::model) const FFXSR: u64 = 1 << 14;
    pub(in crate::model) const TCE: u64 = 1 << 15;
    pub(in crate::model) const AIBRSE: u64 = 1 << 21;
}

/// RFLAGS bits.
pub(super) mod flag {
    pub(in crate::model) const FIXED: u64 = 1 << 1;
    pub(in crate::model) const TF: u64 = 1 << 8;
    pub(in crate::model) const IF: u64 = 1 << 9;
    pub(in crate::model) const OF: u64 = 1 << 11;
    pub(in crate::model) const IOPL: u64 = 3 << 12;
    pub(in crate::model) const NT: u64 = 1 << 14;
    pub(in crate::model) const RF: u64 = 1 << 16;
    pub(in crate::model) const VM: u64 = 1 << 17;
    pub(in crate::model) const AC: u64 = 1 << 18;
    /// Bits that exist.
    pub(in crate::model) const ALL: u64 = 0x3f_7fd7;
}

/// Fixed bits of DR6 and DR7.
pub(super) mod dr {
    pub(in crate::model) const DR6_ONES: u64 = 0xffff_0ff0;
    pub(in crate::model) const DR6_ZEROS: u64 = 0x1000;
    pub(in crate::model) const DR6_BD: u64 = 1 << 13;
    pub(in crate::model) const DR6_BS: u64 = 1 << 14;
    pub(in crate::model) const DR7_ONES: u64 = 0x400;
    pub(in crate::model) const DR7_ZEROS: u64 = 0xd800;
    pub(in crate::model) const DR7_GD: u64 = 1 << 13;
}

/// A segment register with its hidden part, attributes as in the VMCB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) selector: u16,
    pub(super) attrib: u16,
    pub(super) limit: u32,
    pub(super) base: u64,
}

impl Segment {
    /// CS.L: 64-bit code.
    pub(super) fn long(self) -> bool {
        self.attrib & 0x200 != 0
    }
}

/// GDTR or IDTR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) limit: u32,
    pub(super) base: u64,
}

/// What VMLOAD loads and VMSAVE stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hidden {
    pub(super) fs: Segment,
    pub(super) gs: Segment,
    pub(super) tr: Segment,
    pub(super) ldtr: Segment,
    pub(super) kernel_gs_base: u64,
    pub(super) star: u64,
    pub(super) lstar: u64,
    pub(super) cstar: u64,
    pub(super) sfmask: u64,
    pub(super) sysenter_cs: u64,
    pub(super) sysenter_esp: u64,
    pub(super) sysenter_eip: u64,
}

/// Last-branch records and their control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Branches {
    pub(super) debugctl: u64,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) excp_from: u64,
    pub(super) excp_to: u64,
}

/// The live registers.
#[derive(Clone, Debug)]
pub(super) struct Regs {
    pub(super) gpr: [u64; 16],
    pub(super) rip: u64,
    pub(super) rflags: u64,
    pub(super) cr0: u64,
    pub(super) cr2: u64,
    pub(super) cr3: u64,
    pub(super) cr4: u64,
    /// The physical TPR's priority class: CR8.
    pub(super) tpr: u64,
    pub(super) efer: u64,
    pub(super) dr: [u64; 4],
    pub(super) dr6: u64,
    pub(super) dr7: u64,
    pub(super) es: Segment,
    pub(super) cs: Segment,
    pub(super) ss: Segment,
    pub(super) ds: Segment,
    pub(super) gdtr: Table,
    pub(super) idtr: Table,
    pub(super) cpl: u8,
    pub(super) pat: u64,
    pub(super) hidden: Hidden,
    pub(super) branches: Branches,
    pub(super) spec_ctrl: u64,
    /// Interrupts wait for the next instruction to complete.
    pub(super) shadow: bool,
}

const CODE64: Segment = Segment { selector: world::L2_CS, attrib: 0xa9b, limit: u32::MAX, base: 0 };
const DATA: Segment = Segment { selector: world::L2_DS, attrib: 0xc93, limit: u32::MAX, base: 0 };

impl Regs {
    /// L1 at the start of a case: what the baseline VMCB holds of VMLOAD's
    /// state has been loaded.
    pub(super) const L1: Regs = Regs {
        gpr: {
            let (mut gpr, mut n) = ([0; 16], 0);
            while n < 16 {
                gpr[n] = world::gpr(n as u8);
                n += 1;
            }
            gpr
        },
        rip: 0,
        rflags: world::L1_RFLAGS,
        cr0: world::L1_CR0,
        cr2: 0,
        cr3: world::L1PT,
        cr4: world::L1_CR4,
        tpr: 0,
        efer: world::L1_EFER,
        dr: [0; 4],
        dr6: dr::DR6_ONES,
        dr7: dr::DR7_ONES,
        es: DATA,
        cs: CODE64,
        ss: DATA,
        ds: DATA,
        gdtr: Table { limit: 0x3f, base: world::L1_GDT },
        idtr: Table { limit: 0xfff, base: world::L1_IDT },
        cpl: 0,
        pat: world::PAT,
        hidden: Hidden {
            fs: DATA,
            gs: DATA,
            tr: Segment { selector: world::L2_TR, attrib: 0x8b, limit: 0x67, base: world::L2_TSS },
            ldtr: Segment { selector: 0, attrib: 0x82, limit: 0, base: 0 },
            kernel_gs_base: 0,
            star: 0,
            lstar: 0,
            cstar: 0,
            sfmask: 0,
            sysenter_cs: 0,
            sysenter_esp: 0,
            sysenter_eip: 0,
        },
        branches: Branches { debugctl: 0, from: 0, to: 0, excp_from: 0, excp_to: 0 },
        spec_ctrl: 0,
        shadow: false,
    };

    /// Whether paging is on.
    pub(super) fn paging(&self) -> bool {
        self.cr0 & cr0::PG != 0
    }

    /// Whether the processor is in long mode (64-bit or compatibility).
    pub(super) fn long_mode(&self) -> bool {
        self.efer & efer::LMA != 0
    }

    /// Whether code runs in 64-bit mode.
    pub(super) fn mode64(&self) -> bool {
        self.long_mode() && self.cs.long()
    }

    /// Whether this CR4 makes addresses of 57 bits.
    pub(super) fn canonical(&self, address: u64) -> bool {
        let bits = if self.cr4 & cr4::LA57 != 0 { 57 } else { 48 };
        ((address << (64 - bits)) as i64 >> (64 - bits)) as u64 == address
    }
}

/// Sign-extends a base address from the implemented 48 (or 57) bits.
pub(super) fn sign_extend(base: u64, la57: bool) -> u64 {
    let unused = if la57 { 7 } else { 16 };
    ((base << unused) as i64 >> unused) as u64
}

/// The fields that hold one segment register.
#[derive(Clone, Copy)]
pub(super) struct SegmentFields(Field, Field, Field, Field);

macro_rules! segment_fields {
    ($($name:ident: $selector:ident $attrib:ident $limit:ident $base:ident;)*) => {
        $(pub(super) const $name: SegmentFields =
            SegmentFields(Field::$selector, Field::$attrib, Field::$limit, Field::$base);)*
    };
}

segment_fields! {
    ES: ES_SELECTOR ES_ATTRIB ES_LIMIT ES_BASE;
    CS: CS_SELECTOR CS_ATTRIB CS_LIMIT CS_BASE;
    SS: SS_SELECTOR SS_ATTRIB SS_LIMIT SS_BASE;
    DS: DS_SELECTOR DS_ATTRIB DS_LIMIT DS_BASE;
    FS: FS_SELECTOR FS_ATTRIB FS_LIMIT FS_BASE;
    GS: GS_SELECTOR GS_ATTRIB GS_LIMIT GS_BASE;
    TR: TR_SELECTOR TR_ATTRIB TR_LIMIT TR_BASE;
    LDTR: LDTR_SELECTOR LDTR_ATTRIB LDTR_LIMIT LDTR_BASE;
}

impl SegmentFields {
    /// The segment as a VMCB holds it.
    pub(super) fn load(self, image: &Image) -> Segment {
        Segment {
            selector: image.get(self.0) as u16,
            attrib: image.get(self.1) as u16 & 0xfff,
            limit: image.get(self.2) as u32,
            base: image.get(self.3),
        }
    }

    /// The fields and their values.
    pub(super) fn values(self, segment: &Segment) -> [(Field, u64); 4] {
        [
            (self.0, segment.selector.into()),
            (self.1, segment.attrib.into()),
            (self.2, segment.limit.into()),
            (self.3, segment.base),
        ]
    }
}
