//! VMRUN: what it demands of its operand, and what makes it refuse a VMCB
//! (15.5 and the instruction's page).

use super::mutants;
use crate::rules::table::rules;

rules! { VmrunChecks;
    SVME_UD = "vmrun.svme-ud", "15.4", two, "VMRUN with EFER.SVME clear raises #UD.";
    RAX_ALIGNED = "vmrun.rax-aligned", "VMRUN", two, "A VMCB address that is not 4 KiB aligned raises #GP.";
    RAX_PHYS = "vmrun.rax-phys", "VMRUN", two, "A VMCB address at or above the physical address limit raises #GP.";
    INVALID_EXIT = "vmrun.invalid-exit", "15.5.1", two, "Any failed check ends in a #VMEXIT with VMEXIT_INVALID (-1).";
    INVALID_GIF = "vmrun.invalid-gif", "15.6", one, "VMEXIT_INVALID clears GIF like every #VMEXIT.";
    INVALID_EVENTINJ = "vmrun.invalid-eventinj", "VMRUN", one, "VMEXIT_INVALID clears EVENTINJ like every #VMEXIT.";
    INVALID_SAVE_AREA = "vmrun.invalid-save-area", "15.5.1", one, "VMEXIT_INVALID leaves the state-save area as it was.",
        silent("Linux KVM nested.c", "the refused state was never loaded, so there is no current guest state to write back; KVM returns before it touches the save area"),
        broken = Instead(mutants::rip_saved);
    VMRUN_INTERCEPT = "vmrun.intercept-set", "15.5.1", two, "The VMRUN intercept must be set.";
    ASID_ZERO = "vmrun.asid-zero", "15.5.1", two, "Guest ASID 0 is the host's and is refused.";
    EFER_SVME = "vmrun.efer-svme", "15.5.1", two, "Guest EFER.SVME clear is refused.";
    EFER_MBZ = "vmrun.efer-mbz", "15.5.1", two, "A set reserved bit of guest EFER is refused.";
    CR0_CD_NW = "vmrun.cr0-cd-nw", "15.5.1", two, "Guest CR0.NW set with CR0.CD clear is refused.";
    CR0_HIGH = "vmrun.cr0-high", "15.5.1", two, "A set bit among guest CR0[63:32] is refused.";
    CR3_MBZ = "vmrun.cr3-mbz", "15.5.1", two, "A set reserved bit of guest CR3 (63:52) is refused, whatever the mode.";
    CR3_PHYS = "vmrun.cr3-phys", "15.5.1", two, "A set bit of guest CR3 at or above the physical address size, below 52, is refused, whatever the mode.",
        silent("Linux KVM nested.c", "the architecture reserves physical address bits that the processor lacks; KVM refuses them for L1 in the same check, and kvm-unit-tests want it in legacy modes as well");
    CR4_MBZ = "vmrun.cr4-mbz", "15.5.1", two, "A set reserved bit of guest CR4, or one of a feature that CPUID does not offer, is refused.";
    DR6_HIGH = "vmrun.dr6-high", "15.5.1", two, "A set bit among guest DR6[63:32] is refused.";
    DR7_HIGH = "vmrun.dr7-high", "15.5.1", two, "A set bit among guest DR7[63:32] is refused.";
    LME_PG_PAE = "vmrun.lme-pg-pae", "15.5.1", two, "EFER.LME and CR0.PG set with CR4.PAE clear is refused.";
    LME_PG_PE = "vmrun.lme-pg-pe", "15.5.1", two, "EFER.LME and CR0.PG set with CR0.PE clear is refused.";
    CS_L_D = "vmrun.cs-l-d", "15.5.1", two, "EFER.LME, CR0.PG, CR4.PAE, CS.L and CS.D all set is refused.";
    MSRPM_PHYS = "vmrun.msrpm-phys", "15.5.1", two, "An MSR permission map that ends at or above the physical address limit is refused.",
        silent("kvm-unit-tests svm_vmrun \"MSRPM\"", "its expectation is that a map which ends right at the limit is refused; 15.11 speaks of the last byte, and would allow that");
    IOPM_PHYS = "vmrun.iopm-phys", "15.5.1", two, "An I/O permission map that reaches the physical address limit is refused.";
    MAP_BASE_LOW = "vmrun.map-base-low", "15.10.1", one, "Bits 11:0 of a permission map's base are ignored.",
        broken = Is(0);
    TLB_CONTROL_RESERVED = "vmrun.tlb-control-reserved", "15.16.1", two, "A reserved TLB_CONTROL encoding, as 3 and 7 are where CPUID offers no flush by ASID, drops every translation.",
        silent("QEMU as released", "15.5.1 does not list it among what is refused; QEMU ran such guests, without a TLB that outlives VMRUN, which is the same as to flush everything");
    NP_UNSUPPORTED = "vmrun.np-unsupported", "15.25.3", two, "NP_ENABLE is honoured where CPUID offers no nested paging.",
        silent("QEMU as released", "the manual does not say what the bit does there; QEMU ran such guests with their tables, and to ignore the tables would give them all of memory");
    NCR3_MBZ = "vmrun.ncr3-mbz", "15.25.4", two, "With nested paging, a set reserved bit of nCR3 is refused.";
    GPAT_TYPE = "vmrun.gpat-type", "15.25.4", two, "With nested paging, a guest PAT with a reserved memory type is refused.";
    CET_WP = "vmrun.cet-wp", "15.5.1", two, "Guest CR4.CET set with CR0.WP clear is refused (where CPUID offers CET).";
    PAE_PDPTE = "vmrun.pae-pdpte", "15.5.1", two, "Without nested paging, a reserved bit in a present guest PDPTE (PAE) is refused.";
}
