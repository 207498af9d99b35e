//! The virtual machine control block: every architected field by name.
//!
//! APM vol. 2, appendix B, tables B-1 (control area) and B-2 (state-save area).
//! The save area begins at byte 0x400; offsets here count from the block's start.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use super::exit;

/// Bytes in a VMCB (one 4 KiB page).
pub const SIZE: usize = 0x1000;

/// Where the state-save area begins.
pub const SAVE: u16 = 0x400;

/// One field of the VMCB, by index: small and `Copy`, so that a whole VMCB is
/// an array ([`Image`]). Serialised as its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field(u8);

/// What the manual's tables say of one field.
struct Row {
    name: &'static str,
    offset: u16,
    width: u8,
}

macro_rules! fields {
    ($($(#[$doc:meta])* $id:ident = $name:literal, $offset:expr, $width:literal;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Index { $($id),* }

        const ROWS: &[Row] = &[$(Row { name: $name, offset: $offset, width: $width }),*];

        impl Field {
            $($(#[$doc])* pub const $id: Field = Field(Index::$id as u8);)*

            /// Every field, by offset; a field's place here is its [`Field::index`].
            pub const ALL: &'static [Field] = &[$(Field::$id),*];
        }
    };
}

fields! {
    /// CR0 to CR15 read intercepts (vector 0, low half).
    INTERCEPT_CR_READ = "intercept_cr_read", 0x000, 2;
    /// CR0 to CR15 write intercepts (vector 0, high half).
    INTERCEPT_CR_WRITE = "intercept_cr_write", 0x002, 2;
    /// DR0 to DR15 read intercepts (vector 1, low half).
    INTERCEPT_DR_READ = "intercept_dr_read", 0x004, 2;
    /// DR0 to DR15 write intercepts (vector 1, high half).
    INTERCEPT_DR_WRITE = "intercept_dr_write", 0x006, 2;
    /// Exception vectors 0 to 31 (vector 2).
    INTERCEPT_EXCEPTIONS = "intercept_exceptions", 0x008, 4;
    /// INTR to SHUTDOWN (vector 3).
    INTERCEPT_MISC1 = "intercept_misc1", 0x00c, 4;
    /// VMRUN to the CR-write traps (vector 4).
    INTERCEPT_MISC2 = "intercept_misc2", 0x010, 4;
    /// INVLPGB and later (vector 5).
    INTERCEPT_MISC3 = "intercept_misc3", 0x014, 4;
    /// PAUSE filter threshold, in cycles.
    PAUSE_FILTER_THRESHOLD = "pause_filter_threshold", 0x03c, 2;
    /// PAUSE filter count.
    PAUSE_FILTER_COUNT = "pause_filter_count", 0x03e, 2;
    /// Physical base of the I/O permission map (12 KiB).
    IOPM_BASE_PA = "iopm_base_pa", 0x040, 8;
    /// Physical base of the MSR permission map (8 KiB).
    MSRPM_BASE_PA = "msrpm_base_pa", 0x048, 8;
    /// Added to the TSC while the guest runs.
    TSC_OFFSET = "tsc_offset", 0x050, 8;
    /// Guest ASID.
    GUEST_ASID = "guest_asid", 0x058, 4;
    /// TLB_CONTROL: 0, 1, 3 or 7.
    TLB_CONTROL = "tlb_control", 0x05c, 1;
    /// V_TPR, V_IRQ, V_GIF, V_NMI, V_INTR_PRIO, V_IGN_TPR, V_INTR_MASKING, V_GIF_ENABLE, V_NMI_ENABLE.
    INT_CTL = "int_ctl", 0x060, 4;
    /// V_INTR_VECTOR in bits 7:0.
    INT_VECTOR = "int_vector", 0x064, 4;
    /// INTERRUPT_SHADOW (bit 0), GUEST_INTERRUPT_MASK (bit 1).
    INT_STATE = "int_state", 0x068, 8;
    /// EXITCODE.
    EXITCODE = "exitcode", 0x070, 8;
    /// EXITINFO1.
    EXITINFO1 = "exitinfo1", 0x078, 8;
    /// EXITINFO2.
    EXITINFO2 = "exitinfo2", 0x080, 8;
    /// EXITINTINFO, error code in bits 63:32.
    EXITINTINFO = "exitintinfo", 0x088, 8;
    /// NP_ENABLE (0), SEV (1), SEV-ES (2), GMET (3), SSS check (4), VTE (5), read-only guest page tables (6).
    NESTED_CTL = "nested_ctl", 0x090, 8;
    /// AVIC APIC_BAR.
    AVIC_APIC_BAR = "avic_apic_bar", 0x098, 8;
    /// GHCB address (SEV-ES).
    GHCB_PA = "ghcb_pa", 0x0a0, 8;
    /// EVENTINJ, error code in bits 63:32.
    EVENTINJ = "eventinj", 0x0a8, 8;
    /// Nested CR3.
    N_CR3 = "n_cr3", 0x0b0, 8;
    /// LBR virtualisation (bit 0), VMLOAD/VMSAVE virtualisation (bit 1).
    VIRT_EXT = "virt_ext", 0x0b8, 8;
    /// VMCB clean bits.
    CLEAN = "clean", 0x0c0, 4;
    /// Next sequential RIP.
    NRIP = "nrip", 0x0c8, 8;
    /// Count of valid instruction bytes.
    INSN_LEN = "insn_len", 0x0d0, 1;
    /// Instruction bytes 0 to 7, as fetched.
    INSN_BYTES_0 = "insn_bytes_0", 0x0d1, 8;
    /// Instruction bytes 8 to 14.
    INSN_BYTES_8 = "insn_bytes_8", 0x0d9, 7;
    /// Bus-lock threshold counter.
    BUS_LOCK_THRESHOLD = "bus_lock_threshold", 0x120, 2;

    /// ES selector.
    ES_SELECTOR = "es_selector", 0x400, 2;
    /// ES attributes.
    ES_ATTRIB = "es_attrib", 0x402, 2;
    /// ES limit.
    ES_LIMIT = "es_limit", 0x404, 4;
    /// ES base.
    ES_BASE = "es_base", 0x408, 8;
    /// CS selector.
    CS_SELECTOR = "cs_selector", 0x410, 2;
    /// CS attributes.
    CS_ATTRIB = "cs_attrib", 0x412, 2;
    /// CS limit.
    CS_LIMIT = "cs_limit", 0x414, 4;
    /// CS base.
    CS_BASE = "cs_base", 0x418, 8;
    /// SS selector.
    SS_SELECTOR = "ss_selector", 0x420, 2;
    /// SS attributes.
    SS_ATTRIB = "ss_attrib", 0x422, 2;
    /// SS limit.
    SS_LIMIT = "ss_limit", 0x424, 4;
    /// SS base.
    SS_BASE = "ss_base", 0x428, 8;
    /// DS selector.
    DS_SELECTOR = "ds_selector", 0x430, 2;
    /// DS attributes.
    DS_ATTRIB = "ds_attrib", 0x432, 2;
    /// DS limit.
    DS_LIMIT = "ds_limit", 0x434, 4;
    /// DS base.
    DS_BASE = "ds_base", 0x438, 8;
    /// FS selector (VMLOAD, VMSAVE).
    FS_SELECTOR = "fs_selector", 0x440, 2;
    /// FS attributes.
    FS_ATTRIB = "fs_attrib", 0x442, 2;
    /// FS limit.
    FS_LIMIT = "fs_limit", 0x444, 4;
    /// FS base.
    FS_BASE = "fs_base", 0x448, 8;
    /// GS selector (VMLOAD, VMSAVE).
    GS_SELECTOR = "gs_selector", 0x450, 2;
    /// GS attributes.
    GS_ATTRIB = "gs_attrib", 0x452, 2;
    /// GS limit.
    GS_LIMIT = "gs_limit", 0x454, 4;
    /// GS base.
    GS_BASE = "gs_base", 0x458, 8;
    /// GDTR limit.
    GDTR_LIMIT = "gdtr_limit", 0x464, 4;
    /// GDTR base.
    GDTR_BASE = "gdtr_base", 0x468, 8;
    /// LDTR selector (VMLOAD, VMSAVE).
    LDTR_SELECTOR = "ldtr_selector", 0x470, 2;
    /// LDTR attributes.
    LDTR_ATTRIB = "ldtr_attrib", 0x472, 2;
    /// LDTR limit.
    LDTR_LIMIT = "ldtr_limit", 0x474, 4;
    /// LDTR base.
    LDTR_BASE = "ldtr_base", 0x478, 8;
    /// IDTR limit.
    IDTR_LIMIT = "idtr_limit", 0x484, 4;
    /// IDTR base.
    IDTR_BASE = "idtr_base", 0x488, 8;
    /// TR selector (VMLOAD, VMSAVE).
    TR_SELECTOR = "tr_selector", 0x490, 2;
    /// TR attributes.
    TR_ATTRIB = "tr_attrib", 0x492, 2;
    /// TR limit.
    TR_LIMIT = "tr_limit", 0x494, 4;
    /// TR base.
    TR_BASE = "tr_base", 0x498, 8;
    /// CPL.
    CPL = "cpl", 0x4cb, 1;
    /// EFER.
    EFER = "efer", 0x4d0, 8;
    /// CR4.
    CR4 = "cr4", 0x548, 8;
    /// CR3.
    CR3 = "cr3", 0x550, 8;
    /// CR0.
    CR0 = "cr0", 0x558, 8;
    /// DR7.
    DR7 = "dr7", 0x560, 8;
    /// DR6.
    DR6 = "dr6", 0x568, 8;
    /// RFLAGS.
    RFLAGS = "rflags", 0x570, 8;
    /// RIP.
    RIP = "rip", 0x578, 8;
    /// RSP.
    RSP = "rsp", 0x5d8, 8;
    /// Supervisor CET (shadow stacks: out of scope).
    S_CET = "s_cet", 0x5e0, 8;
    /// Shadow-stack pointer.
    SSP = "ssp", 0x5e8, 8;
    /// Interrupt shadow-stack table.
    ISST_ADDR = "isst_addr", 0x5f0, 8;
    /// RAX.
    RAX = "rax", 0x5f8, 8;
    /// STAR (VMLOAD, VMSAVE).
    STAR = "star", 0x600, 8;
    /// LSTAR (VMLOAD, VMSAVE).
    LSTAR = "lstar", 0x608, 8;
    /// CSTAR (VMLOAD, VMSAVE).
    CSTAR = "cstar", 0x610, 8;
    /// SFMASK (VMLOAD, VMSAVE).
    SFMASK = "sfmask", 0x618, 8;
    /// KernelGSbase (VMLOAD, VMSAVE).
    KERNEL_GS_BASE = "kernel_gs_base", 0x620, 8;
    /// SYSENTER_CS (VMLOAD, VMSAVE).
    SYSENTER_CS = "sysenter_cs", 0x628, 8;
    /// SYSENTER_ESP (VMLOAD, VMSAVE).
    SYSENTER_ESP = "sysenter_esp", 0x630, 8;
    /// SYSENTER_EIP (VMLOAD, VMSAVE).
    SYSENTER_EIP = "sysenter_eip", 0x638, 8;
    /// CR2.
    CR2 = "cr2", 0x640, 8;
    /// Guest PAT (with nested paging).
    G_PAT = "g_pat", 0x668, 8;
    /// DEBUGCTL (with LBR virtualisation).
    DBGCTL = "dbgctl", 0x670, 8;
    /// LastBranchFromIP.
    BR_FROM = "br_from", 0x678, 8;
    /// LastBranchToIP.
    BR_TO = "br_to", 0x680, 8;
    /// LastIntFromIP.
    LASTEXCPFROM = "lastexcpfrom", 0x688, 8;
    /// LastIntToIP.
    LASTEXCPTO = "lastexcpto", 0x690, 8;
    /// SPEC_CTRL (with its virtualisation).
    SPEC_CTRL = "spec_ctrl", 0x6e0, 8;
}

/// How many fields there are.
pub const FIELDS: usize = ROWS.len();

/// The bits of each field, worked out once: every write of a VMCB asks for them.
static MASKS: [u64; FIELDS] = {
    let (mut masks, mut n) = ([0; FIELDS], 0);
    while n < FIELDS {
        masks[n] = u64::MAX >> (64 - 8 * ROWS[n].width as u32);
        n += 1;
    }
    masks
};

impl Field {
    /// The field of that name.
    pub fn named(name: &str) -> Option<Field> {
        Field::ALL.iter().copied().find(|f| f.name() == name)
    }

    /// The field at that place in [`Field::ALL`].
    pub fn at(index: usize) -> Option<Field> {
        Field::ALL.get(index).copied()
    }

    /// Place in [`Field::ALL`], and in an [`Image`].
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Name in lower case, as the manual's with underscores (`exitinfo1`).
    pub const fn name(self) -> &'static str {
        ROWS[self.index()].name
    }

    /// Bytes from the start of the VMCB.
    pub const fn offset(self) -> u16 {
        ROWS[self.index()].offset
    }

    /// Width in bytes: 1, 2, 4, 7 (the second half of the instruction bytes) or 8.
    pub const fn width(self) -> u8 {
        ROWS[self.index()].width
    }

    /// The bits that the field can hold.
    #[inline]
    pub const fn mask(self) -> u64 {
        MASKS[self.index()]
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Name;
        impl de::Visitor<'_> for Name {
            type Value = Field;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a VMCB field")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Field, E> {
                Field::named(name)
                    .ok_or_else(|| E::custom(format_args!("no VMCB field is called {name}")))
            }
        }
        d.deserialize_str(Name)
    }
}

/// The fields of one VMCB, by index; what lies between fields is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image(pub [u64; FIELDS]);

impl Image {
    /// All fields zero.
    pub const ZERO: Image = Image([0; FIELDS]);

    /// The fields of a VMCB as it is in memory.
    pub fn of(page: &[u8; SIZE]) -> Image {
        let mut image = Image::ZERO;
        for field in Field::ALL {
            let bytes = &page[field.offset().into()..][..field.width().into()];
            let little = |value, byte: &u8| value << 8 | u64::from(*byte);
            image.set(*field, bytes.iter().rev().fold(0, little));
        }
        image
    }

    /// Writes the fields into a VMCB as it is in memory; what lies between them stays.
    pub fn write_to(&self, page: &mut [u8; SIZE]) {
        for field in Field::ALL {
            let bytes = self.get(*field).to_le_bytes();
            let width = field.width().into();
            page[field.offset().into()..][..width].copy_from_slice(&bytes[..width]);
        }
    }

    /// The value of a field.
    #[inline]
    pub const fn get(&self, field: Field) -> u64 {
        self.0[field.index()]
    }

    /// Writes a field; bits beyond its width are dropped, as a store would.
    #[inline]
    pub const fn set(&mut self, field: Field, value: u64) {
        self.0[field.index()] = value & field.mask();
    }
}
