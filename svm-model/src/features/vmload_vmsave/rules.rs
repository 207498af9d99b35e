//! VMLOAD and VMSAVE, and their virtualisation (15.5.2, 15.33.1).

use super::mutants;
use crate::rules::table::rules;

rules! { VmloadVmsave;
    SVME_UD = "vmload.svme-ud", "15.5.2", two, "VMLOAD and VMSAVE with EFER.SVME clear raise #UD.";
    RAX_ALIGNED = "vmload.rax-aligned", "VMLOAD", two, "An address that is not 4 KiB aligned raises #GP.";
    RAX_PHYS = "vmload.rax-phys", "VMLOAD", two, "An address at or above the physical address limit raises #GP.";
    ADDR_BEFORE_INTERCEPT = "vmload.address-before-intercept", "15.9", two, "The #GP for the address comes before the intercept, unless CPUID offers the address check (Fn8000_000A EDX[28]).",
        silent("Linux KVM, \"Add support for SVM instruction address check change\"", "15.9 has the #GP first; the message says that processors with the bit set exit before they look at the address");
    LOADS_FS_GS = "vmload.fs-gs", "15.5.2", one, "VMLOAD loads FS and GS with their hidden parts.";
    LOADS_TR = "vmload.tr", "15.5.2", one, "VMLOAD loads TR with its hidden part.";
    LOADS_LDTR = "vmload.ldtr", "15.5.2", one, "VMLOAD loads LDTR with its hidden part.";
    LOADS_KERNEL_GS = "vmload.kernel-gs-base", "15.5.2", one, "VMLOAD loads KernelGSbase.";
    LOADS_STAR = "vmload.star", "15.5.2", one, "VMLOAD loads STAR, LSTAR, CSTAR and SFMASK.";
    LOADS_SYSENTER = "vmload.sysenter", "15.5.2", one, "VMLOAD loads SYSENTER_CS, SYSENTER_ESP and SYSENTER_EIP.";
    SYSENTER_WIDTH = "vmload.sysenter-width", "15.5.2", one, "SYSENTER_ESP and SYSENTER_EIP have 32 bits: VMLOAD drops the others.",
        silent("Linux KVM, svm_recalc_intercepts", "15.5.2 says that they are loaded; the comment says that the processor stores 32 bits of both, by WRMSR and by VMLOAD");
    SAVES_FS_GS = "vmsave.fs-gs", "15.5.2", one, "VMSAVE stores FS and GS with their hidden parts.";
    SAVES_TR = "vmsave.tr", "15.5.2", one, "VMSAVE stores TR with its hidden part.";
    SAVES_LDTR = "vmsave.ldtr", "15.5.2", one, "VMSAVE stores LDTR with its hidden part.";
    SAVES_KERNEL_GS = "vmsave.kernel-gs-base", "15.5.2", one, "VMSAVE stores KernelGSbase.";
    SAVES_STAR = "vmsave.star", "15.5.2", one, "VMSAVE stores STAR, LSTAR, CSTAR and SFMASK.";
    SAVES_SYSENTER = "vmsave.sysenter", "15.5.2", one, "VMSAVE stores SYSENTER_CS, SYSENTER_ESP and SYSENTER_EIP.";
    SAVES_NOTHING_ELSE = "vmsave.nothing-else", "15.5.2", one, "VMSAVE leaves the rest of the VMCB.",
        broken = Instead(mutants::rip_saved);
    CANONICAL = "vmload.canonical", "15.5.1", one, "VMLOAD sign-extends the bases that it loads.";
    GUEST_REAL = "vmload.guest-system-address", "15.5.2", one, "A guest's VMLOAD or VMSAVE that is neither intercepted nor virtualised uses a system-physical address.",
        broken = Xor(0x1000);
    VLS_SUPPORTED = "vls.supported", "15.33.1", two, "The enable bit has an effect only where CPUID offers virtual VMLOAD and VMSAVE.";
    VLS_NEEDS_NPT = "vls.needs-npt", "15.33.1", two, "Without nested paging the enable bit makes VMLOAD and VMSAVE in the guest exit.",
        silent("Linux KVM nested.c", "15.33.1 says that the feature needs nested paging; KVM intercepts the instructions for a guest that enables it without");
    VLS_TRANSLATES = "vls.translates", "15.33.1", one, "A virtualised VMLOAD or VMSAVE treats rAX as guest-physical and goes through the nested tables.";
    VLS_INTERCEPT_WINS = "vls.intercept-wins", "15.33.1", one, "The VMLOAD and VMSAVE intercepts are taken although virtualisation is enabled.";
    VLS_NPF = "vls.npf", "15.33.1", one, "A virtualised access that the nested tables forbid exits with a nested page fault.",
        broken = Instead(mutants::fault_lost);
}
