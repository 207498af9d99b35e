//! The features that rules, cases and tests are grouped by. Each names its sections of APM
//! vol. 2 ([`Feature::about`]).

use core::fmt;
use core::str::FromStr;

macro_rules! features {
    ($($variant:ident = $name:literal, $doc:literal;)*) => {
        /// One column of thought in SVM; each rule, case and test carries one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
                 serde::Serialize, serde::Deserialize)]
        pub enum Feature {
            $(#[doc = $doc] #[serde(rename = $name)] $variant,)*
        }

        impl Feature {
            /// Every feature, in the order in which reports list them.
            pub const ALL: &'static [Feature] = &[$(Feature::$variant),*];

            /// The stable, kebab-case name (`vmrun-checks`, `vgif`, …).
            pub const fn name(self) -> &'static str {
                match self { $(Feature::$variant => $name),* }
            }

            /// What it is about, with the sections of the APM's volume 2.
            pub const fn about(self) -> &'static str {
                match self { $(Feature::$variant => $doc),* }
            }
        }
    };
}

features! {
    VmrunChecks = "vmrun-checks", "VMRUN's exceptions, state loading and consistency checks (APM vol. 2, 15.5).";
    Intercepts = "intercepts", "Instruction, exception, I/O and physical-interrupt intercepts and exit state (15.6 to 15.14).";
    Vgif = "vgif", "GIF and virtual GIF, STGI, CLGI (15.17, 15.33.2).";
    VmloadVmsave = "vmload-vmsave", "VMLOAD and VMSAVE, and their virtualisation (15.5.2, 15.33.1).";
    Virq = "virq", "Virtual interrupts: V_IRQ, V_TPR, V_INTR_MASKING, interrupt shadow (15.21).";
    Vnmi = "vnmi", "Virtual NMI (15.21.10).";
    EventInjection = "event-injection", "EVENTINJ and EXITINTINFO (15.20, 15.7.2).";
    Npt = "npt", "Nested paging (15.25).";
    Gmet = "gmet", "Guest mode execute trap (15.25.13).";
    Nrip = "nrip", "Next RIP saved on #VMEXIT (15.7.1).";
    DecodeAssists = "decode-assists", "Decode assists: EXITINFO1 details and instruction bytes (15.8).";
    Lbrv = "lbrv", "LBR virtualisation (15.23).";
    TscScale = "tsc-scale", "TSC offset and TSC ratio (15.30.5).";
    PauseFilter = "pause-filter", "PAUSE intercept filter and threshold (15.14.4).";
    IdleHlt = "idle-hlt", "Idle HLT intercept (15.9).";
    BusLock = "bus-lock", "Bus lock threshold (15.14.5).";
    SpecCtrl = "spec-ctrl", "SPEC_CTRL virtualisation (15.37.1).";
    TlbAsid = "tlb-asid", "ASIDs, TLB_CONTROL, INVLPGA (15.15, 15.16).";
    Debug = "debug", "Debug registers, #DB and single-step across the world switch (15.5, 15.12).";
    Msr = "msr", "SVM's MSRs and the MSR permission map (15.10, 15.11, 15.30).";
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFeature;

impl fmt::Display for UnknownFeature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown feature; one of:")?;
        Feature::ALL.iter().try_for_each(|x| write!(f, " {x}"))
    }
}

impl core::error::Error for UnknownFeature {}

impl FromStr for Feature {
    type Err = UnknownFeature;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Feature::ALL.iter().copied().find(|f| f.name() == s).ok_or(UnknownFeature)
    }
}
