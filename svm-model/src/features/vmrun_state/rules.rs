//! VMRUN: what is loaded from the VMCB, and what is not (15.5.1, VMRUN).

use super::mutants;
use crate::case::world;
use crate::rules::table::rules;

rules! { VmrunChecks;
    LOAD_SEGMENTS = "vmrun.load-segments", "15.5.1", one, "VMRUN loads ES, CS, SS and DS, hidden parts included.";
    LOAD_TABLES = "vmrun.load-tables", "15.5.1", one, "VMRUN loads GDTR and IDTR.";
    LOAD_EFER = "vmrun.load-efer", "15.5.1", one, "VMRUN loads EFER.";
    LOAD_CR0 = "vmrun.load-cr0", "15.5.1", one, "VMRUN loads CR0.";
    CR0_ET = "vmrun.cr0-et", "vol. 2, 3.1.1", one, "CR0.ET is set, whatever VMRUN loads.";
    LOAD_CR2 = "vmrun.load-cr2", "15.5.1", one, "VMRUN loads CR2.";
    LOAD_CR3 = "vmrun.load-cr3", "15.5.1", one, "VMRUN loads CR3.";
    LOAD_CR4 = "vmrun.load-cr4", "15.5.1", one, "VMRUN loads CR4.";
    LOAD_DR6 = "vmrun.load-dr6", "15.5.1", one, "VMRUN loads DR6.";
    LOAD_DR7 = "vmrun.load-dr7", "15.5.1", one, "VMRUN loads DR7.";
    LOAD_RFLAGS = "vmrun.load-rflags", "15.5.1", one, "VMRUN loads RFLAGS; bit 1 is always set.";
    LOAD_RIP = "vmrun.load-rip", "15.5.1", one, "VMRUN continues at the guest RIP.";
    LOAD_RSP = "vmrun.load-rsp", "15.5.1", one, "VMRUN loads RSP.";
    LOAD_RAX = "vmrun.load-rax", "15.5.1", one, "VMRUN loads RAX.";
    LOAD_CPL = "vmrun.load-cpl", "15.5.1", one, "VMRUN loads the CPL from its own field, not from CS or SS.";
    CPL_REAL = "vmrun.cpl-real", "15.5.1", two, "A guest in real mode runs at CPL 0 whatever the field says.";
    CPL_V86 = "vmrun.cpl-v86", "15.5.1", two, "A guest in virtual-8086 mode runs at CPL 3 whatever the field says.";
    KEEP_GPRS = "vmrun.keep-gprs", "15.5.1", one, "General registers other than RAX and RSP pass from host to guest and back.",
        broken = Instead(mutants::rbx_loaded);
    KEEP_HIDDEN = "vmrun.keep-fs-gs-tr-ldtr", "15.5.2", one, "VMRUN loads neither FS, GS, TR, LDTR nor the system-call MSRs.",
        broken = Instead(mutants::hidden_loaded);
    KEEP_DR0_3 = "vmrun.keep-dr0-3", "15.5.1", one, "VMRUN neither loads nor saves DR0 to DR3.",
        broken = Instead(mutants::breakpoints_loaded);
    BASE_CANONICAL = "vmrun.base-canonical", "15.5.1", one, "VMRUN sign-extends the segment bases that it loads, GDTR and IDTR included, from the highest implemented linear address bit.";
    SETS_GIF = "vmrun.sets-gif", "15.5.1", one, "VMRUN sets GIF when it enters the guest.";
    LOAD_SHADOW = "vmrun.load-shadow", "15.21.5", two, "VMRUN loads the interrupt shadow from bit 0 of INT_STATE.";
    LMA = "vmrun.efer-lma", "15.5.1", two, "With CR0.PG and EFER.LME set the guest is in long mode.";
    PAGED_REAL = "vmrun.paged-real-mode", "15.19", two, "CR0.PG set with CR0.PE clear is accepted by VMRUN, without long mode.";
    READ_ONCE = "vmrun.read-once", "15.5.1", one, "What VMRUN has read of the VMCB's control area counts until #VMEXIT, whoever writes there.",
        broken = Instead(mutants::read_again);
    VMCB_OWN_PAGE = "vmrun.vmcb-address", "VMRUN", one, "The VMCB is the one that rAX names.",
        broken = Is(world::VMCB2);
}
