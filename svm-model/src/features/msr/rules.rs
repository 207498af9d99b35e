//! SVM's MSRs and the MSR permission map (15.4, 15.11, 15.30, 15.31).

use super::mutants;
use crate::rules::table::rules;

rules! { Msr;
    PROT = "msr.prot", "15.11", two, "MSR accesses are checked against the map only where MSR_PROT is set.";
    MAP_READ = "msr.map-read", "15.11", two, "RDMSR of an MSR whose read bit is set exits with 0x7c.";
    MAP_WRITE = "msr.map-write", "15.11", two, "WRMSR of an MSR whose write bit is set exits with 0x7c.";
    MAP_OUTSIDE = "msr.map-outside", "15.11", two, "An MSR outside the three ranges always exits where MSR_PROT is set.",
        broken = Xor(0x800);
    MAP_RANGE0 = "msr.map-range-0", "15.11", one, "MSRs 0 to 0x1fff have their bits at 0 in the map.",
        broken = Xor(0x800);
    MAP_RANGE1 = "msr.map-range-c000", "15.11", one, "MSRs 0xc0000000 to 0xc0001fff have their bits at 0x800.",
        broken = Xor(0x800);
    MAP_RANGE2 = "msr.map-range-c001", "15.11", one, "MSRs 0xc0010000 to 0xc0011fff have their bits at 0x1000.",
        broken = Xor(0x800);
    INFO1 = "msr.exitinfo1", "15.11", two, "EXITINFO1 is 0 for RDMSR and 1 for WRMSR.";
    BEFORE_GP = "msr.before-gp", "15.11", one, "The map is checked before the #GP of an unknown MSR or bad value, after that of CPL.",
        broken = Instead(mutants::written_first);
    EFER_SVME = "msr.efer-svme", "15.4", two, "EFER.SVME can be set unless VM_CR.SVMDIS is set.";
    EFER_RESERVED = "msr.efer-reserved", "vol. 2, 3.1.7", two, "Setting a reserved bit of EFER raises #GP.";
    EFER_LME_PG = "msr.efer-lme-paging", "vol. 2, 3.1.7", two, "Changing EFER.LME with paging on raises #GP.";
    HSAVE_ALIGNED = "msr.hsave-aligned", "15.30.4", two, "VM_HSAVE_PA that is not 4 KiB aligned raises #GP.";
    HSAVE_PHYS = "msr.hsave-phys", "15.30.4", two, "VM_HSAVE_PA at or above the physical address limit raises #GP.";
    HSAVE_READ = "msr.hsave-read", "15.30.4", one, "VM_HSAVE_PA reads back what was written.";
    VM_CR_RESERVED = "msr.vm-cr-reserved", "15.30.1", two, "Writing a reserved bit of VM_CR raises #GP.";
    VM_CR_SVMDIS = "msr.vm-cr-svmdis", "15.30.1", two, "Setting SVMDIS with EFER.SVME set raises #GP.";
    VM_CR_READ = "msr.vm-cr-read", "15.30.1", one, "VM_CR reads back.";
    IGNNE = "msr.ignne", "15.30.2", one, "IGNNE reads back its bit 0.";
    SMM_CTL = "msr.smm-ctl", "15.30.3", one, "SMM_CTL is write-only: reading it raises #GP.";
    SVM_KEY = "msr.svm-key", "15.31", two, "SVM_KEY exists only where CPUID offers SVM lock.";
    STAR_GUEST = "msr.syscall-shared", "15.5.2", one, "The system-call MSRs that a guest writes are the host's after #VMEXIT.",
        broken = Instead(mutants::star_restored);
    CPL_GP = "msr.cpl", "vol. 3, RDMSR", two, "RDMSR and WRMSR at CPL 3 raise #GP.";
    CANONICAL = "msr.canonical", "vol. 3, WRMSR", two, "Writing a non-canonical address to LSTAR, CSTAR, KernelGSbase, FSbase or GSbase raises #GP, by the width that the processor implements.",
        silent("Linux KVM, is_noncanonical_address", "the page does not say which width; its comment, from tests on hardware, says that these MSRs are checked by what the processor supports, whatever CR4.LA57 is");
}
