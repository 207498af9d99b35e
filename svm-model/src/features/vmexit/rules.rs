//! #VMEXIT: what is written back, what is reloaded (15.6).

use super::mutants;
use crate::rules::table::rules;

rules! { Intercepts;
    EXITCODE = "vmexit.exitcode", "15.6", one, "#VMEXIT stores the reason in EXITCODE, all 64 bits.";
    CLEARS_GIF = "vmexit.clears-gif", "15.6", one, "#VMEXIT clears GIF.";
    CLEARS_EVENTINJ = "vmexit.clears-eventinj", "VMRUN", one, "#VMEXIT clears EVENTINJ.";
    EXITINTINFO_IDLE = "vmexit.exitintinfo-idle", "15.7.2", two, "EXITINTINFO is not valid when no event was being delivered.";
    SAVE_SEGMENTS = "vmexit.save-segments", "15.6", one, "#VMEXIT saves ES, CS, SS and DS.";
    SAVE_TABLES = "vmexit.save-tables", "15.6", one, "#VMEXIT saves GDTR and IDTR.";
    SAVE_EFER = "vmexit.save-efer", "15.6", one, "#VMEXIT saves EFER.";
    SAVE_CR0 = "vmexit.save-cr0", "15.6", one, "#VMEXIT saves CR0.";
    SAVE_CR2 = "vmexit.save-cr2", "15.6", one, "#VMEXIT saves CR2.";
    SAVE_CR3 = "vmexit.save-cr3", "15.6", one, "#VMEXIT saves CR3.";
    SAVE_CR4 = "vmexit.save-cr4", "15.6", one, "#VMEXIT saves CR4.";
    SAVE_DR6 = "vmexit.save-dr6", "15.6", one, "#VMEXIT saves DR6.";
    SAVE_DR7 = "vmexit.save-dr7", "15.6", one, "#VMEXIT saves DR7.";
    SAVE_RFLAGS = "vmexit.save-rflags", "15.6", one, "#VMEXIT saves RFLAGS.";
    SAVE_RIP = "vmexit.save-rip", "15.6", one, "#VMEXIT saves the RIP of the instruction that did not complete.";
    SAVE_RSP = "vmexit.save-rsp", "15.6", one, "#VMEXIT saves RSP.";
    SAVE_RAX = "vmexit.save-rax", "15.6", one, "#VMEXIT saves RAX.";
    SAVE_CPL = "vmexit.save-cpl", "15.6", one, "#VMEXIT saves the CPL.";
    SAVE_SHADOW = "vmexit.save-shadow", "15.21.5", two, "#VMEXIT saves the interrupt shadow in bit 0 of INT_STATE.";
    LEAVES_HIDDEN = "vmexit.leaves-fs-gs-tr-ldtr", "15.6", one, "#VMEXIT does not write FS, GS, TR, LDTR and the system-call MSRs to the VMCB.",
        broken = Instead(mutants::hidden_written);
    LEAVES_CONTROLS = "vmexit.leaves-controls", "15.6", one, "#VMEXIT leaves the control fields that it does not report in as they were.",
        broken = Instead(mutants::controls_written);
    HOST_CR0 = "vmexit.host-cr0", "15.6", one, "#VMEXIT reloads the host's CR0, with PE set.";
    HOST_CR3 = "vmexit.host-cr3", "15.6", one, "#VMEXIT reloads the host's CR3.";
    HOST_CR4 = "vmexit.host-cr4", "15.6", one, "#VMEXIT reloads the host's CR4.";
    HOST_EFER = "vmexit.host-efer", "15.6", one, "#VMEXIT reloads the host's EFER.";
    HOST_RFLAGS = "vmexit.host-rflags", "15.6", one, "#VMEXIT reloads the host's RFLAGS, with VM clear.";
    HOST_RAX = "vmexit.host-rax", "15.6", one, "#VMEXIT reloads the host's RAX.";
    HOST_RSP_RIP = "vmexit.host-rip-rsp", "15.6", one, "#VMEXIT continues after VMRUN with the host's RSP.";
    HOST_DR7 = "vmexit.host-dr7", "15.6", one, "#VMEXIT disables all breakpoints: DR7 becomes 0x400.";
    HOST_DR6 = "vmexit.host-dr6", "15.6", one, "#VMEXIT leaves DR6 as the guest had it.",
        broken = Instead(mutants::dr6_restored);
    HOST_CR2 = "vmexit.host-cr2", "15.6", one, "#VMEXIT leaves CR2 as the guest had it.",
        broken = Instead(mutants::cr2_restored);
    HOST_CPL = "vmexit.host-cpl", "15.6", one, "#VMEXIT returns to CPL 0.";
}
