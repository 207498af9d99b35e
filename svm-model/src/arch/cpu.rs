//! The CPU that a case runs on: what CPUID offers (APM vol. 3, appendix E).

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

macro_rules! cpu_features {
    ($($(#[$doc:meta])* $id:ident = $name:literal, $leaf:expr;)*) => {
        /// A CPUID feature that changes an outcome. Names are QEMU's where QEMU has one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CpuFeature { $($(#[$doc])* $id),* }

        impl CpuFeature {
            /// Every feature, by place in [`CpuSet`].
            pub const ALL: &'static [CpuFeature] = &[$(CpuFeature::$id),*];

            /// The name (`npt`, `nrip-save`, …).
            pub const fn name(self) -> &'static str {
                match self { $(CpuFeature::$id => $name),* }
            }

            /// Where CPUID reports it.
            pub const fn cpuid(self) -> CpuidBit {
                match self { $(CpuFeature::$id => $leaf),* }
            }
        }
    };
}

/// A CPUID output bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuidBit {
    /// EAX.
    pub leaf: u32,
    /// ECX.
    pub subleaf: u32,
    /// The register.
    pub reg: CpuidReg,
    /// Bit number.
    pub bit: u8,
}

/// A register that CPUID writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuidReg {
    /// EAX.
    Eax,
    /// EBX.
    Ebx,
    /// ECX.
    Ecx,
    /// EDX.
    Edx,
}

const fn at(leaf: u32, subleaf: u32, reg: CpuidReg, bit: u8) -> CpuidBit {
    CpuidBit { leaf, subleaf, reg, bit }
}

const SVM: u32 = 0x8000_000a;
use CpuidReg::{Eax, Ebx, Ecx, Edx};

cpu_features! {
    /// SVM.
    Svm = "svm", at(0x8000_0001, 0, Ecx, 2);
    /// Nested paging.
    Npt = "npt", at(SVM, 0, Edx, 0);
    /// LBR virtualisation.
    Lbrv = "lbrv", at(SVM, 0, Edx, 1);
    /// SVM lock.
    SvmLock = "svm-lock", at(SVM, 0, Edx, 2);
    /// Next RIP saved on #VMEXIT.
    NripSave = "nrip-save", at(SVM, 0, Edx, 3);
    /// TSC ratio MSR.
    TscScale = "tsc-scale", at(SVM, 0, Edx, 4);
    /// VMCB clean bits.
    VmcbClean = "vmcb-clean", at(SVM, 0, Edx, 5);
    /// Flush by ASID.
    FlushByAsid = "flushbyasid", at(SVM, 0, Edx, 6);
    /// Decode assists.
    DecodeAssists = "decodeassists", at(SVM, 0, Edx, 7);
    /// PAUSE intercept filter.
    PauseFilter = "pause-filter", at(SVM, 0, Edx, 10);
    /// PAUSE filter threshold.
    PfThreshold = "pfthreshold", at(SVM, 0, Edx, 12);
    /// VMLOAD and VMSAVE virtualisation.
    VirtVmload = "v-vmsave-vmload", at(SVM, 0, Edx, 15);
    /// Virtual GIF.
    Vgif = "vgif", at(SVM, 0, Edx, 16);
    /// Guest mode execute trap.
    Gmet = "gmet", at(SVM, 0, Edx, 17);
    /// SPEC_CTRL virtualisation.
    VirtSpecCtrl = "v-spec-ctrl", at(SVM, 0, Edx, 20);
    /// Virtual NMI.
    Vnmi = "vnmi", at(SVM, 0, Edx, 25);
    /// EAX checked by VMRUN, VMLOAD and VMSAVE raises #GP before the intercept (SvmmeAddrChk).
    AddrChk = "svme-addr-chk", at(SVM, 0, Edx, 28);
    /// Bus-lock threshold.
    BusLockThreshold = "bus-lock-threshold", at(SVM, 0, Edx, 29);
    /// Idle HLT intercept.
    IdleHlt = "idle-hlt", at(SVM, 0, Edx, 30);
    /// SKINIT and STGI.
    Skinit = "skinit", at(0x8000_0001, 0, Ecx, 12);
    /// No-execute pages.
    Nx = "nx", at(0x8000_0001, 0, Edx, 20);
    /// 1 GiB pages.
    Pdpe1gb = "pdpe1gb", at(0x8000_0001, 0, Edx, 26);
    /// RDTSCP.
    Rdtscp = "rdtscp", at(0x8000_0001, 0, Edx, 27);
    /// Fast FXSAVE and FXRSTOR (EFER.FFXSR).
    Fxsr = "fxsr-opt", at(0x8000_0001, 0, Edx, 25);
    /// Translation cache extension (EFER.TCE).
    Tce = "tce", at(0x8000_0001, 0, Ecx, 17);
    /// MONITOR and MWAIT.
    Monitor = "monitor", at(1, 0, Ecx, 3);
    /// PCID.
    Pcid = "pcid", at(1, 0, Ecx, 17);
    /// XSAVE.
    Xsave = "xsave", at(1, 0, Ecx, 26);
    /// FSGSBASE.
    Fsgsbase = "fsgsbase", at(7, 0, Ebx, 0);
    /// SMEP.
    Smep = "smep", at(7, 0, Ebx, 7);
    /// SMAP.
    Smap = "smap", at(7, 0, Ebx, 20);
    /// INVPCID.
    Invpcid = "invpcid", at(7, 0, Ebx, 10);
    /// UMIP.
    Umip = "umip", at(7, 0, Ecx, 2);
    /// Protection keys.
    Pku = "pku", at(7, 0, Ecx, 3);
    /// Five-level paging.
    La57 = "la57", at(7, 0, Ecx, 16);
    /// CET shadow stacks.
    ShadowStack = "shstk", at(7, 0, Ecx, 7);
    /// Protection keys for supervisor pages (not AMD's; widens CR4).
    Pks = "pks", at(7, 0, Ecx, 31);
    /// RDPRU.
    Rdpru = "rdpru", at(0x8000_0008, 0, Ebx, 4);
    /// INVLPGB and TLBSYNC.
    Invlpgb = "invlpgb", at(0x8000_0008, 0, Ebx, 3);
    /// MCOMMIT.
    Mcommit = "mcommit", at(0x8000_0008, 0, Ebx, 8);
    /// IBRS (SPEC_CTRL bit 0).
    Ibrs = "ibrs", at(0x8000_0008, 0, Ebx, 14);
    /// STIBP (SPEC_CTRL bit 1).
    Stibp = "stibp", at(0x8000_0008, 0, Ebx, 15);
    /// SSBD (SPEC_CTRL bit 2).
    Ssbd = "amd-ssbd", at(0x8000_0008, 0, Ebx, 24);
    /// Automatic IBRS (EFER bit 21).
    AutoIbrs = "auto-ibrs", at(0x8000_0021, 0, Eax, 8);
    /// XSAVEC.
    Xsavec = "xsavec", at(0xd, 1, Eax, 1);
    /// XSAVES and XRSTORS.
    Xsaves = "xsaves", at(0xd, 1, Eax, 3);
}

impl Serialize for CpuFeature {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for CpuFeature {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let name = alloc::string::String::deserialize(d)?;
        let found = CpuFeature::ALL.iter().copied().find(|f| f.name() == name);
        found.ok_or_else(|| de::Error::custom(format_args!("no CPU feature is called {name}")))
    }
}

/// A set of CPU features. Serialised as a list of names.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuSet(u64);

impl CpuSet {
    /// No feature.
    pub const NONE: CpuSet = CpuSet(0);

    /// The set of those features.
    pub const fn of(features: &[CpuFeature]) -> CpuSet {
        let (mut set, mut i) = (CpuSet::NONE, 0);
        while i < features.len() {
            set = set.with(features[i]);
            i += 1;
        }
        set
    }

    /// The set and that feature.
    pub const fn with(self, feature: CpuFeature) -> CpuSet {
        CpuSet(self.0 | 1 << feature as u32)
    }

    /// The set and those of the other.
    pub const fn union(self, other: CpuSet) -> CpuSet {
        CpuSet(self.0 | other.0)
    }

    /// The set but those of the other.
    pub const fn minus(self, other: CpuSet) -> CpuSet {
        CpuSet(self.0 & !other.0)
    }

    /// Whether it holds that feature.
    pub const fn has(self, feature: CpuFeature) -> bool {
        self.0 >> feature as u32 & 1 == 1
    }

    /// Whether it holds all of the other.
    pub const fn includes(self, other: CpuSet) -> bool {
        self.0 & other.0 == other.0
    }

    /// Its features.
    pub fn iter(self) -> impl Iterator<Item = CpuFeature> {
        CpuFeature::ALL.iter().copied().filter(move |f| self.has(*f))
    }

    /// As a word for a wire format; bit n is `CpuFeature::ALL[n]`.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// From such a word.
    pub const fn from_bits(bits: u64) -> CpuSet {
        CpuSet(bits)
    }
}

impl fmt::Debug for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for CpuSet {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for CpuSet {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(CpuSet::of(&Vec::<CpuFeature>::deserialize(d)?))
    }
}

/// What CPUID offers on the machine that a case runs on: its features and sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// Features offered.
    pub features: CpuSet,
    /// Physical address bits (Fn8000_0008 EAX bits 7:0).
    pub phys_bits: u8,
    /// Number of ASIDs (Fn8000_000A EBX).
    pub asids: u32,
}
