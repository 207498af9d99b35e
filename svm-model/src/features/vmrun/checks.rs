//! VMRUN's consistency checks (15.5.1). All are made, in no order that shows:
//! each failure ends in the same VMEXIT_INVALID.

use crate::arch::control::{IOPM_SIZE, MSRPM_SIZE};
use crate::arch::cpu::CpuFeature;
use crate::arch::vmcb::{Field, Image};
use crate::arch::{cr0, cr4, efer, int_ctl};
use crate::machine::Machine;
use crate::rules::{vmrun, vnmi};

/// EFER bits that every processor with SVM has.
const EFER_ALWAYS: u64 = efer::SCE | efer::RAZ | efer::LME | efer::LMA | efer::SVME | efer::LMSLE;

impl Machine<'_> {
    /// Whether VMRUN accepts the VMCB.
    pub(crate) fn consistent(&mut self, v: &Image) -> bool {
        let failed = self.bad_controls(v)
            | self.bad_cr(v)
            | self.bad_debug(v)
            | self.bad_efer(v)
            | self.bad_nested(v)
            | self.bad_injection(v);
        !self.t.rule(vmrun::INVALID_EXIT, failed)
    }

    fn bad_controls(&mut self, v: &Image) -> bool {
        let t = &mut *self.t;
        let limit = 1 << self.platform.phys_bits.min(63);
        let beyond = |base: u64, size: u64| (base & !0xfff).saturating_add(size) > limit;
        let vnmi_on = self.platform.features.has(CpuFeature::Vnmi)
            && v.get(Field::INT_CTL) & int_ctl::V_NMI_ENABLE != 0;
        let vnmi_alone = vnmi_on && v.get(Field::INTERCEPT_MISC1) & 2 == 0;
        t.rule(vmrun::VMRUN_INTERCEPT, v.get(Field::INTERCEPT_MISC2) & 1 == 0)
            | t.rule(vmrun::ASID_ZERO, v.get(Field::GUEST_ASID) == 0)
            | t.rule(vmrun::MSRPM_PHYS, beyond(v.get(Field::MSRPM_BASE_PA), MSRPM_SIZE + 1))
            | t.rule(vmrun::IOPM_PHYS, beyond(v.get(Field::IOPM_BASE_PA), IOPM_SIZE))
            | (vnmi_on && t.rule(vnmi::NEEDS_INTERCEPT, vnmi_alone))
    }

    fn bad_cr(&mut self, v: &Image) -> bool {
        let cr0 = v.get(Field::CR0);
        let cr3 = v.get(Field::CR3);
        let cr4 = v.get(Field::CR4);
        let cr4_reserved = !self.cr4_valid();
        let beyond = (cr3 & 0x000f_ffff_ffff_ffff) >> self.platform.phys_bits.min(52) != 0;
        let cet = cr4 & cr4::CET != 0;
        let t = &mut *self.t;
        t.rule(vmrun::CR0_CD_NW, cr0 & (cr0::CD | cr0::NW) == cr0::NW)
            | t.rule(vmrun::CR0_HIGH, cr0 >> 32 != 0)
            | t.rule(vmrun::CR3_MBZ, cr3 >> 52 != 0)
            | t.rule(vmrun::CR3_PHYS, beyond)
            | t.rule(vmrun::CR4_MBZ, cr4 & cr4_reserved != 0)
            | (cet && t.rule(vmrun::CET_WP, cr0 & cr0::WP == 0))
    }

    fn bad_debug(&mut self, v: &Image) -> bool {
        self.t.rule(vmrun::DR6_HIGH, v.get(Field::DR6) >> 32 != 0)
            | self.t.rule(vmrun::DR7_HIGH, v.get(Field::DR7) >> 32 != 0)
    }

    fn bad_efer(&mut self, v: &Image) -> bool {
        let efer = v.get(Field::EFER);
        let reserved = !self.efer_valid();
        let cr0 = v.get(Field::CR0);
        let long = efer & efer::LME != 0 && cr0 & cr0::PG != 0;
        let pae = v.get(Field::CR4) & cr4::PAE != 0;
        let cs = v.get(Field::CS_ATTRIB);
        let t = &mut *self.t;
        t.rule(vmrun::EFER_SVME, efer & efer::SVME == 0)
            | t.rule(vmrun::EFER_MBZ, efer & reserved != 0)
            | (long && t.rule(vmrun::LME_PG_PAE, !pae))
            | (long && t.rule(vmrun::LME_PG_PE, cr0 & cr0::PE == 0))
            | (long && pae && t.rule(vmrun::CS_L_D, cs & 0x600 == 0x600))
    }

    fn bad_nested(&mut self, v: &Image) -> bool {
        if v.get(Field::NESTED_CTL) & 1 == 0 {
            return self.bad_pdptes(v);
        }
        let n_cr3 = v.get(Field::N_CR3);
        let outside = !self.physical(n_cr3);
        let pat = v.get(Field::G_PAT);
        self.t.rule(vmrun::NCR3_MBZ, outside) | self.t.rule(vmrun::GPAT_TYPE, !pat_valid(pat))
    }

    /// PAE without nested paging: VMRUN loads the PDPTEs as a write of CR3 does.
    fn bad_pdptes(&mut self, v: &Image) -> bool {
        let cr0 = v.get(Field::CR0);
        let pae = cr0 & cr0::PG != 0
            && v.get(Field::CR4) & cr4::PAE != 0
            && v.get(Field::EFER) & efer::LME == 0;
        if !pae {
            return false;
        }
        let table = v.get(Field::CR3) & 0xffff_ffe0;
        let reserved = !((1u64 << self.platform.phys_bits.min(52)) - 1) | 0x1e6;
        let bad = (0..4).any(|n| {
            let entry = self.mem.word(table + 8 * n);
            entry & 1 == 1 && entry & reserved != 0
        });
        self.t.rule(vmrun::PAE_PDPTE, bad)
    }

    /// CR4 bits that the processor has.
    pub(crate) fn cr4_valid(&self) -> u64 {
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
        optional.iter().filter(|(f, _)| self.supported(*f)).fold(0x7ff, |mask, (_, bit)| mask | bit)
    }

    /// EFER bits that the processor has.
    pub(crate) fn efer_valid(&self) -> u64 {
        use CpuFeature::{AutoIbrs, Fxsr, Nx, Tce};
        let optional =
            [(Nx, efer::NXE), (Fxsr, efer::FFXSR), (Tce, efer::TCE), (AutoIbrs, efer::AIBRSE)];
        optional
            .iter()
            .filter(|(f, _)| self.supported(*f))
            .fold(EFER_ALWAYS, |mask, (_, bit)| mask | bit)
    }
}

/// Whether all eight memory types exist: UC, WC, WT, WP, WB, UC-.
pub(crate) fn pat_valid(pat: u64) -> bool {
    pat.to_le_bytes().iter().all(|kind| matches!(kind, 0 | 1 | 4 | 5 | 6 | 7))
}
