//! VMRUN's consistency checks (15.5.1). All are made, in no order that shows:
//! each failure ends in the same VMEXIT_INVALID.

use alloc::vec::Vec;

use crate::arch::control::{IOPM_SIZE, MSRPM_SIZE};
use crate::arch::cpu::{CpuFeature, Platform};
use crate::arch::vmcb::{Field, Image};
use crate::arch::{cr0, cr4, efer, int_ctl};
use crate::machine::Machine;
use crate::rules::{RuleId, Trace, vmrun, vnmi};

/// EFER bits that every processor with SVM has.
const EFER_ALWAYS: u64 = efer::SCE | efer::RAZ | efer::LME | efer::LMA | efer::SVME | efer::LMSLE;

/// A VMCB at which VMRUN looks.
pub(crate) struct Checks<'a> {
    pub(crate) v: &'a Image,
    pub(crate) platform: &'a Platform,
    pub(crate) t: &'a mut Trace,
    /// The aligned quadword at a physical address, where it is known.
    pub(crate) memory: &'a mut dyn FnMut(u64) -> Option<u64>,
    /// What refuses the VMCB so far: the rule, and the field that it looks at.
    pub(crate) refused: Vec<(RuleId, Field)>,
}

impl Machine<'_> {
    /// Whether VMRUN accepts the VMCB.
    pub(crate) fn consistent(&mut self, v: &Image) -> bool {
        let Machine { platform, t, mem, .. } = self;
        Checks { v, platform, t, memory: &mut |pa| Some(mem.word(pa)), refused: Vec::new() }
            .consistent()
    }
}

impl Checks<'_> {
    /// Whether VMRUN accepts the VMCB.
    pub(crate) fn consistent(&mut self) -> bool {
        self.controls();
        self.control_registers();
        self.debug_registers();
        self.efer();
        self.nested();
        self.injection();
        let failed = !self.refused.is_empty();
        !self.t.rule(vmrun::INVALID_EXIT, failed)
    }

    /// Decides by a rule that refuses the VMCB, for what a field holds, where its condition is
    /// met.
    pub(crate) fn refuse(&mut self, rule: RuleId, field: Field, condition: bool) {
        if self.t.rule(rule, condition) {
            self.refused.push((rule, field));
        }
    }

    /// What a field holds.
    pub(crate) fn get(&self, field: Field) -> u64 {
        self.v.get(field)
    }

    fn controls(&mut self) {
        let limit = 1 << self.platform.phys_bits.min(63);
        let beyond = |base: u64, size: u64| (base & !0xfff).saturating_add(size) > limit;
        let vnmi_on = self.platform.features.has(CpuFeature::Vnmi)
            && self.get(Field::INT_CTL) & int_ctl::V_NMI_ENABLE != 0;
        let misc1 = self.get(Field::INTERCEPT_MISC1);
        let misc2 = self.get(Field::INTERCEPT_MISC2);
        let asid = self.get(Field::GUEST_ASID);
        let (msrpm, iopm) = (self.get(Field::MSRPM_BASE_PA), self.get(Field::IOPM_BASE_PA));
        let msrpm_beyond = beyond(msrpm, MSRPM_SIZE + 1);
        self.refuse(vmrun::VMRUN_INTERCEPT, Field::INTERCEPT_MISC2, misc2 & 1 == 0);
        self.refuse(vmrun::ASID_ZERO, Field::GUEST_ASID, asid == 0);
        self.refuse(vmrun::MSRPM_PHYS, Field::MSRPM_BASE_PA, msrpm_beyond);
        self.refuse(vmrun::IOPM_PHYS, Field::IOPM_BASE_PA, beyond(iopm, IOPM_SIZE));
        if vnmi_on {
            self.refuse(vnmi::NEEDS_INTERCEPT, Field::INTERCEPT_MISC1, misc1 & 2 == 0);
        }
    }

    fn control_registers(&mut self) {
        let cr0 = self.get(Field::CR0);
        let cr3 = self.get(Field::CR3);
        let cr4 = self.get(Field::CR4);
        let cr4_reserved = !cr4_valid(self.platform);
        let beyond = (cr3 & 0x000f_ffff_ffff_ffff) >> self.platform.phys_bits.min(52) != 0;
        self.refuse(vmrun::CR0_CD_NW, Field::CR0, cr0 & (cr0::CD | cr0::NW) == cr0::NW);
        self.refuse(vmrun::CR0_HIGH, Field::CR0, cr0 >> 32 != 0);
        self.refuse(vmrun::CR3_MBZ, Field::CR3, cr3 >> 52 != 0);
        self.refuse(vmrun::CR3_PHYS, Field::CR3, beyond);
        self.refuse(vmrun::CR4_MBZ, Field::CR4, cr4 & cr4_reserved != 0);
        if cr4 & cr4::CET != 0 {
            self.refuse(vmrun::CET_WP, Field::CR0, cr0 & cr0::WP == 0);
        }
    }

    fn debug_registers(&mut self) {
        self.refuse(vmrun::DR6_HIGH, Field::DR6, self.get(Field::DR6) >> 32 != 0);
        self.refuse(vmrun::DR7_HIGH, Field::DR7, self.get(Field::DR7) >> 32 != 0);
    }

    fn efer(&mut self) {
        let efer = self.get(Field::EFER);
        let reserved = !efer_valid(self.platform);
        let cr0 = self.get(Field::CR0);
        let long = efer & efer::LME != 0 && cr0 & cr0::PG != 0;
        let pae = self.get(Field::CR4) & cr4::PAE != 0;
        let cs = self.get(Field::CS_ATTRIB);
        self.refuse(vmrun::EFER_SVME, Field::EFER, efer & efer::SVME == 0);
        self.refuse(vmrun::EFER_MBZ, Field::EFER, efer & reserved != 0);
        if long {
            self.refuse(vmrun::LME_PG_PAE, Field::CR4, !pae);
            self.refuse(vmrun::LME_PG_PE, Field::CR0, cr0 & cr0::PE == 0);
        }
        if long && pae {
            self.refuse(vmrun::CS_L_D, Field::CS_ATTRIB, cs & 0x600 == 0x600);
        }
    }

    fn nested(&mut self) {
        if self.get(Field::NESTED_CTL) & 1 == 0 {
            return self.pdptes();
        }
        let outside = self.get(Field::N_CR3) >> self.platform.phys_bits.min(63) != 0;
        let pat = self.get(Field::G_PAT);
        self.refuse(vmrun::NCR3_MBZ, Field::N_CR3, outside);
        self.refuse(vmrun::GPAT_TYPE, Field::G_PAT, !pat_valid(pat));
    }

    /// PAE without nested paging: VMRUN loads the PDPTEs as a write of CR3 does.
    fn pdptes(&mut self) {
        let cr0 = self.get(Field::CR0);
        let pae = cr0 & cr0::PG != 0
            && self.get(Field::CR4) & cr4::PAE != 0
            && self.get(Field::EFER) & efer::LME == 0;
        if !pae {
            return;
        }
        let table = self.get(Field::CR3) & 0xffff_ffe0;
        let reserved = !((1u64 << self.platform.phys_bits.min(52)) - 1) | 0x1e6;
        let bad = (0..4).any(|n| {
            let entry = (self.memory)(table + 8 * n).unwrap_or(0);
            entry & 1 == 1 && entry & reserved != 0
        });
        self.refuse(vmrun::PAE_PDPTE, Field::CR3, bad);
    }
}

/// CR4 bits that the processor has.
pub(crate) fn cr4_valid(platform: &Platform) -> u64 {
    use CpuFeature::{Fsgsbase, La57, Pcid, Pks, Pku, ShadowStack, Smap, Smep, Umip, Xsave};
    let optional = [
        (Umip, cr4::UMIP),
        (La57, cr4::LA57),
        (Fsgsbase, cr4::FSGSBASE),
        (Pcid, cr4::PCIDE),
        (Xsave, cr4::OSXSAVE),
        (Smep, cr4::SMEP),
        (Smap, cr4::SMAP),
        (Pku, cr4::PKE),
        (ShadowStack, cr4::CET),
        (Pks, cr4::PKS),
    ];
    offered(platform, &optional, 0x7ff)
}

/// EFER bits that the processor has.
pub(crate) fn efer_valid(platform: &Platform) -> u64 {
    use CpuFeature::{AutoIbrs, Fxsr, Nx, Tce};
    let optional =
        [(Nx, efer::NXE), (Fxsr, efer::FFXSR), (Tce, efer::TCE), (AutoIbrs, efer::AIBRSE)];
    offered(platform, &optional, EFER_ALWAYS)
}

/// The bits that every processor has, and those of the features that CPUID offers.
fn offered(platform: &Platform, optional: &[(CpuFeature, u64)], always: u64) -> u64 {
    let has = |(feature, _): &&(CpuFeature, u64)| platform.features.has(*feature);
    optional.iter().filter(has).fold(always, |mask, (_, bit)| mask | bit)
}

/// Whether all eight memory types exist: UC, WC, WT, WP, WB, UC-.
pub(crate) fn pat_valid(pat: u64) -> bool {
    pat.to_le_bytes().iter().all(|kind| matches!(kind, 0 | 1 | 4 | 5 | 6 | 7))
}
