//! The processor's registers, as far as SVM switches, checks or reports them.

use crate::arch::{cr0, cr4, dr, efer};
use crate::case::world;
use crate::vmcb::{Field, Image};

/// A segment register with its hidden part, attributes as in the VMCB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) selector: u16,
    pub(crate) attrib: u16,
    pub(crate) limit: u32,
    pub(crate) base: u64,
}

impl Segment {
    /// CS.L: 64-bit code.
    pub(crate) fn long(self) -> bool {
        self.attrib & 0x200 != 0
    }

    /// CS.D, outside 64-bit mode: the bits that an address has.
    pub(crate) fn address_mask(self) -> u64 {
        if self.attrib & 0x400 != 0 { 0xffff_ffff } else { 0xffff }
    }
}

/// GDTR or IDTR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) limit: u32,
    pub(crate) base: u64,
}

/// What VMLOAD loads and VMSAVE stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hidden {
    pub(crate) fs: Segment,
    pub(crate) gs: Segment,
    pub(crate) tr: Segment,
    pub(crate) ldtr: Segment,
    pub(crate) kernel_gs_base: u64,
    pub(crate) star: u64,
    pub(crate) lstar: u64,
    pub(crate) cstar: u64,
    pub(crate) sfmask: u64,
    pub(crate) sysenter_cs: u64,
    pub(crate) sysenter_esp: u64,
    pub(crate) sysenter_eip: u64,
}

/// Last-branch records and their control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Branches {
    pub(crate) debugctl: u64,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) excp_from: u64,
    pub(crate) excp_to: u64,
    /// They hold branches of L1 that are no part of the case: its own, or an earlier case's.
    pub(crate) foreign: bool,
}

/// The live registers.
#[derive(Clone, Debug)]
pub(crate) struct Regs {
    pub(crate) gpr: [u64; 16],
    pub(crate) rip: u64,
    pub(crate) rflags: u64,
    pub(crate) cr0: u64,
    pub(crate) cr2: u64,
    pub(crate) cr3: u64,
    pub(crate) cr4: u64,
    /// The physical TPR's priority class: CR8.
    pub(crate) tpr: u64,
    pub(crate) efer: u64,
    pub(crate) dr: [u64; 4],
    pub(crate) dr6: u64,
    pub(crate) dr7: u64,
    pub(crate) es: Segment,
    pub(crate) cs: Segment,
    pub(crate) ss: Segment,
    pub(crate) ds: Segment,
    pub(crate) gdtr: Table,
    pub(crate) idtr: Table,
    pub(crate) cpl: u8,
    pub(crate) pat: u64,
    pub(crate) hidden: Hidden,
    pub(crate) branches: Branches,
    pub(crate) spec_ctrl: u64,
    /// Interrupts wait for the next instruction to complete.
    pub(crate) shadow: bool,
}

const CODE64: Segment = Segment { selector: world::L2_CS, attrib: 0xa9b, limit: u32::MAX, base: 0 };
const DATA: Segment = Segment { selector: world::L2_DS, attrib: 0xc93, limit: u32::MAX, base: 0 };

impl Regs {
    /// L1 at the start of a case: what the baseline VMCB holds of VMLOAD's
    /// state has been loaded.
    pub(crate) const L1: Regs = Regs {
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
        branches: Branches {
            debugctl: 0,
            from: 0,
            to: 0,
            excp_from: 0,
            excp_to: 0,
            foreign: false,
        },
        spec_ctrl: 0,
        shadow: false,
    };

    /// Whether paging is on.
    pub(crate) fn paging(&self) -> bool {
        self.cr0 & cr0::PG != 0
    }

    /// Whether the processor is in long mode (64-bit or compatibility).
    pub(crate) fn long_mode(&self) -> bool {
        self.efer & efer::LMA != 0
    }

    /// Whether code runs in 64-bit mode.
    pub(crate) fn mode64(&self) -> bool {
        self.long_mode() && self.cs.long()
    }

    /// Whether operands and addresses have 16 bits where no prefix says otherwise.
    pub(crate) fn narrow(&self) -> bool {
        !self.mode64() && self.cs.address_mask() == 0xffff
    }

    /// Whether addresses are 32-bit offsets from zero, and none is beyond the limit.
    pub(crate) fn flat32(&self) -> bool {
        let whole = self.ds.base == 0 && self.ds.limit == u32::MAX;
        !self.mode64() && !self.narrow() && whole
    }

    /// Whether RIP is one that the code segment has.
    pub(crate) fn rip_in_limit(&self) -> bool {
        self.mode64() || self.rip <= self.cs.limit.into()
    }

    /// Whether this CR4 makes addresses of 57 bits.
    pub(crate) fn canonical(&self, address: u64) -> bool {
        let bits = if self.cr4 & cr4::LA57 != 0 { 57 } else { 48 };
        ((address << (64 - bits)) as i64 >> (64 - bits)) as u64 == address
    }
}

/// Sign-extends a base address from the implemented 48 (or 57) bits.
pub(crate) fn sign_extend(base: u64, la57: bool) -> u64 {
    let unused = if la57 { 7 } else { 16 };
    ((base << unused) as i64 >> unused) as u64
}

/// The fields that hold one segment register.
#[derive(Clone, Copy)]
pub(crate) struct SegmentFields(Field, Field, Field, Field);

macro_rules! segment_fields {
    ($($name:ident: $selector:ident $attrib:ident $limit:ident $base:ident;)*) => {
        $(pub(crate) const $name: SegmentFields =
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
    pub(crate) fn load(self, image: &Image) -> Segment {
        Segment {
            selector: image.get(self.0) as u16,
            attrib: image.get(self.1) as u16 & 0xfff,
            limit: image.get(self.2) as u32,
            base: image.get(self.3),
        }
    }

    /// The fields and their values.
    pub(crate) fn values(self, segment: &Segment) -> [(Field, u64); 4] {
        [
            (self.0, segment.selector.into()),
            (self.1, segment.attrib.into()),
            (self.2, segment.limit.into()),
            (self.3, segment.base),
        ]
    }
}
