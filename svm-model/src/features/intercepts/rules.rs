//! Intercepts: exit codes, EXITINFO, and what is checked first (15.7 to 15.14).

use super::mutants;
use crate::rules::table::rules;

rules! { Intercepts;
    CR0_READ = "intercept.cr0-read", "15.8.1", two, "Reading CR0 with its read intercept set exits with 0x00.";
    CR2_READ = "intercept.cr2-read", "15.8.1", two, "Reading CR2 with its read intercept set exits with 0x02.";
    CR3_READ = "intercept.cr3-read", "15.8.1", two, "Reading CR3 with its read intercept set exits with 0x03.";
    CR4_READ = "intercept.cr4-read", "15.8.1", two, "Reading CR4 with its read intercept set exits with 0x04.";
    CR8_READ = "intercept.cr8-read", "15.8.1", two, "Reading CR8 with its read intercept set exits with 0x08.";
    CR0_WRITE = "intercept.cr0-write", "15.8.1", two, "Writing CR0 with its write intercept set exits with 0x10, before the register changes.";
    CR2_WRITE = "intercept.cr2-write", "15.8.1", two, "Writing CR2 with its write intercept set exits with 0x12, before the register changes.";
    CR3_WRITE = "intercept.cr3-write", "15.8.1", two, "Writing CR3 with its write intercept set exits with 0x13, before the register changes.";
    CR4_WRITE = "intercept.cr4-write", "15.8.1", two, "Writing CR4 with its write intercept set exits with 0x14, before the register changes.";
    CR8_WRITE = "intercept.cr8-write", "15.8.1", two, "Writing CR8 with its write intercept set exits with 0x18, before the register changes.";
    CR_SMSW = "intercept.cr0-read-smsw", "15.8.1", one, "SMSW is a read of CR0.";
    CR_LMSW = "intercept.cr0-write-lmsw", "15.8.1", one, "LMSW is a write of CR0.";
    CR_CLTS = "intercept.cr0-write-clts", "15.8.1", one, "CLTS is a write of CR0.";
    CR0_SEL = "intercept.cr0-sel", "15.9", two, "With the selective intercept, a MOV to CR0 that changes a bit other than TS and MP exits with 0x65.";
    CR0_SEL_LMSW = "intercept.cr0-sel-lmsw", "15.9", two, "With the selective intercept, LMSW exits with 0x65 whatever it writes.";
    CR0_SEL_CLTS = "intercept.cr0-sel-clts", "15.9", one, "CLTS changes TS only and never takes the selective intercept.",
        broken = Instead(mutants::clts_selected);
    CR0_SEL_PRIORITY = "intercept.cr0-sel-priority", "15.9", two, "Where both CR0 write intercepts are set, the unconditional one wins.",
        silent("kvm-unit-tests sel_cr0_write_intercept_priority", "its expectation, taken on hardware, is exit 0x10; a plain write intercept is checked first");
    CR_GP_FIRST = "intercept.cr-exceptions-first", "15.9", two, "A MOV to CR that would raise #GP for its value or CPL raises it before the intercept is checked.";
    CR_UD_FIRST = "intercept.cr-ud-first", "15.9", two, "A MOV to or from a CR that does not exist raises #UD before the intercept is checked.";
    DR0_READ = "intercept.dr0-read", "15.8.2", two, "Reading DR0 with its read intercept set exits with 0x20.";
    DR1_READ = "intercept.dr1-read", "15.8.2", two, "Reading DR1 with its read intercept set exits with 0x21.";
    DR2_READ = "intercept.dr2-read", "15.8.2", two, "Reading DR2 with its read intercept set exits with 0x22.";
    DR3_READ = "intercept.dr3-read", "15.8.2", two, "Reading DR3 with its read intercept set exits with 0x23.";
    DR4_READ = "intercept.dr4-read", "15.8.2", two, "Reading DR4 with its read intercept set exits with 0x24.";
    DR5_READ = "intercept.dr5-read", "15.8.2", two, "Reading DR5 with its read intercept set exits with 0x25.";
    DR6_READ = "intercept.dr6-read", "15.8.2", two, "Reading DR6 with its read intercept set exits with 0x26.";
    DR7_READ = "intercept.dr7-read", "15.8.2", two, "Reading DR7 with its read intercept set exits with 0x27.";
    DR0_WRITE = "intercept.dr0-write", "15.8.2", two, "Writing DR0 with its write intercept set exits with 0x30.";
    DR1_WRITE = "intercept.dr1-write", "15.8.2", two, "Writing DR1 with its write intercept set exits with 0x31.";
    DR2_WRITE = "intercept.dr2-write", "15.8.2", two, "Writing DR2 with its write intercept set exits with 0x32.";
    DR3_WRITE = "intercept.dr3-write", "15.8.2", two, "Writing DR3 with its write intercept set exits with 0x33.";
    DR4_WRITE = "intercept.dr4-write", "15.8.2", two, "Writing DR4 with its write intercept set exits with 0x34.";
    DR5_WRITE = "intercept.dr5-write", "15.8.2", two, "Writing DR5 with its write intercept set exits with 0x35.";
    DR6_WRITE = "intercept.dr6-write", "15.8.2", two, "Writing DR6 with its write intercept set exits with 0x36.";
    DR7_WRITE = "intercept.dr7-write", "15.8.2", two, "Writing DR7 with its write intercept set exits with 0x37.";
    DR_EXCEPTIONS_FIRST = "intercept.dr-exceptions-first", "15.9", two, "A debug-register access that would raise #GP (CPL, reserved bits) raises it before the intercept is checked.";
    EXCP_DE = "intercept.exception-de", "15.12", two, "#DE in the guest with bit 0 of the exception intercepts set exits with 0x40.";
    EXCP_DB = "intercept.exception-db", "15.12", two, "#DB in the guest with bit 1 of the exception intercepts set exits with 0x41.";
    EXCP_BP = "intercept.exception-bp", "15.12", two, "#BP in the guest with bit 3 of the exception intercepts set exits with 0x43.";
    EXCP_OF = "intercept.exception-of", "15.12", two, "#OF in the guest with bit 4 of the exception intercepts set exits with 0x44.";
    EXCP_UD = "intercept.exception-ud", "15.12", two, "#UD in the guest with bit 6 of the exception intercepts set exits with 0x46.";
    EXCP_NM = "intercept.exception-nm", "15.12", two, "#NM in the guest with bit 7 of the exception intercepts set exits with 0x47.";
    EXCP_DF = "intercept.exception-df", "15.12", two, "#DF in the guest with bit 8 of the exception intercepts set exits with 0x48.";
    EXCP_NP = "intercept.exception-np", "15.12", two, "#NP in the guest with bit 11 of the exception intercepts set exits with 0x4b.";
    EXCP_SS = "intercept.exception-ss", "15.12", two, "#SS in the guest with bit 12 of the exception intercepts set exits with 0x4c.";
    EXCP_GP = "intercept.exception-gp", "15.12", two, "#GP in the guest with bit 13 of the exception intercepts set exits with 0x4d.";
    EXCP_PF = "intercept.exception-pf", "15.12", two, "#PF in the guest with bit 14 of the exception intercepts set exits with 0x4e.";
    EXCP_AC = "intercept.exception-ac", "15.12", two, "#AC in the guest with bit 17 of the exception intercepts set exits with 0x51.";
    EXCP_BP_INT3 = "intercept.exception-bp-int3", "15.12.4", one, "INT3 raises an interceptable #BP; RIP is that of the INT3.";
    EXCP_ERROR = "intercept.exception-error-code", "15.12", one, "An intercepted exception's error code is in EXITINFO1.";
    EXCP_PF_CR2 = "intercept.pf-address", "15.12.15", one, "An intercepted #PF has its linear address in EXITINFO2.",
        broken = Is(0);
    EXCP_PF_CR2_KEPT = "intercept.pf-cr2", "15.12.15", one, "An intercepted #PF does not write CR2; a delivered one does.",
        broken = Instead(mutants::cr2_written);
    EXCP_DB_DR6 = "intercept.db-dr6", "15.12.2", one, "An intercepted #DB has already written DR6.";
    EXCP_DB_DR7 = "intercept.db-dr7", "15.12.2", one, "An intercepted #DB has already cleared DR7.GD, as a handler finds it.";
    EXCP_2_IGNORED = "intercept.exception-2", "15.12.3", one, "Bit 2 of the exception intercepts does not intercept NMIs.";
    SIDT = "intercept.idtr-read", "15.9", two, "SIDT with its intercept set exits with 0x66, before it executes.";
    SGDT = "intercept.gdtr-read", "15.9", two, "SGDT with its intercept set exits with 0x67, before it executes.";
    SLDT = "intercept.ldtr-read", "15.9", two, "SLDT with its intercept set exits with 0x68, before it executes.";
    STR = "intercept.tr-read", "15.9", two, "STR with its intercept set exits with 0x69, before it executes.";
    LIDT = "intercept.idtr-write", "15.9", two, "LIDT with its intercept set exits with 0x6a, before it executes.";
    LGDT = "intercept.gdtr-write", "15.9", two, "LGDT with its intercept set exits with 0x6b, before it executes.";
    LLDT = "intercept.ldtr-write", "15.9", two, "LLDT with its intercept set exits with 0x6c, before it executes.";
    LTR = "intercept.tr-write", "15.9", two, "LTR with its intercept set exits with 0x6d, before it executes.";
    RDTSC = "intercept.rdtsc", "15.9", two, "RDTSC with its intercept set exits with 0x6e, before it executes.";
    RDPMC = "intercept.rdpmc", "15.9", two, "RDPMC with its intercept set exits with 0x6f, before it executes.";
    PUSHF = "intercept.pushf", "15.9", two, "PUSHF with its intercept set exits with 0x70, before it executes.";
    POPF = "intercept.popf", "15.9", two, "POPF with its intercept set exits with 0x71, before it executes.";
    CPUID = "intercept.cpuid", "15.9", two, "CPUID with its intercept set exits with 0x72, before it executes.";
    RSM = "intercept.rsm", "15.9", two, "RSM with its intercept set exits with 0x73, before it executes.";
    IRET = "intercept.iret", "15.9", two, "IRET with its intercept set exits with 0x74, before it executes.";
    SWINT = "intercept.swint", "15.9", two, "INTn with its intercept set exits with 0x75, before it executes.";
    INVD = "intercept.invd", "15.9", two, "INVD with its intercept set exits with 0x76, before it executes.";
    PAUSE = "intercept.pause", "15.9", two, "PAUSE with its intercept set exits with 0x77, before it executes.";
    HLT = "intercept.hlt", "15.9", two, "HLT with its intercept set exits with 0x78, before it executes.";
    INVLPG = "intercept.invlpg", "15.9", two, "INVLPG with its intercept set exits with 0x79, before it executes.";
    INVLPGA = "intercept.invlpga", "15.9", two, "INVLPGA with its intercept set exits with 0x7a, before it executes.";
    VMRUN = "intercept.vmrun", "15.9", one, "VMRUN with its intercept set exits with 0x80, before it executes.";
    VMMCALL = "intercept.vmmcall", "15.9", two, "VMMCALL with its intercept set exits with 0x81, before it executes.";
    VMLOAD = "intercept.vmload", "15.9", two, "VMLOAD with its intercept set exits with 0x82, before it executes.";
    VMSAVE = "intercept.vmsave", "15.9", two, "VMSAVE with its intercept set exits with 0x83, before it executes.";
    STGI = "intercept.stgi", "15.9", two, "STGI with its intercept set exits with 0x84, before it executes.";
    CLGI = "intercept.clgi", "15.9", two, "CLGI with its intercept set exits with 0x85, before it executes.";
    SKINIT = "intercept.skinit", "15.9", one, "SKINIT with its intercept set exits with 0x86, before it executes.";
    RDTSCP = "intercept.rdtscp", "15.9", two, "RDTSCP with its intercept set exits with 0x87, before it executes.";
    ICEBP = "intercept.icebp", "15.9", two, "INT1 with its intercept set exits with 0x88, before it executes.";
    WBINVD = "intercept.wbinvd", "15.9", two, "WBINVD or WBNOINVD with its intercept set exits with 0x89, before it executes.";
    MONITOR = "intercept.monitor", "15.9", two, "MONITOR with its intercept set exits with 0x8a, before it executes.";
    MWAIT = "intercept.mwait", "15.9", two, "MWAIT with its intercept set exits with 0x8b, before it executes.";
    XSETBV = "intercept.xsetbv", "15.9", two, "XSETBV with its intercept set exits with 0x8d, before it executes.";
    RDPRU = "intercept.rdpru", "15.9", two, "RDPRU with its intercept set exits with 0x8e, before it executes.";
    INVPCID = "intercept.invpcid", "15.9", two, "INVPCID with its intercept set exits with 0xa2, before it executes.";
    INVLPGB = "intercept.invlpgb", "15.9", one, "INVLPGB with its intercept set exits with 0xa0, before it executes.";
    TLBSYNC = "intercept.tlbsync", "15.9", one, "TLBSYNC with its intercept set exits with 0xa4, before it executes.";
    CR_TRAP_INERT = "intercept.cr-write-trap-inert", "15.35.10", one, "The write traps of the control registers do nothing in a guest without SEV-ES.",
        broken = Instead(mutants::cr_traps);
    EFER_TRAP_INERT = "intercept.efer-write-trap-inert", "15.35.10", one, "The write trap of EFER does nothing in a guest without SEV-ES.",
        silent("15.35.10", "it names the EFER trap with the CR traps, of which it says that only SEV-ES guests have them"),
        broken = Instead(mutants::efer_traps);
    XSETBV_FIRST = "intercept.xsetbv-first", "15.9", one, "The XSETBV intercept is checked before its #GP, that of CPL included.";
    INVPCID_FIRST = "intercept.invpcid-first", "15.9", one, "The INVPCID intercept is checked before its #GP for the type, after that for CPL.";
    CPL_FIRST = "intercept.cpl-first", "15.9", two, "A privileged instruction at CPL 3 raises #GP before its intercept is checked.";
    TSD_FIRST = "intercept.tsd-first", "15.9", two, "RDTSC and RDTSCP that CR4.TSD forbids raise #GP before the intercept.";
    PCE_FIRST = "intercept.pce-first", "15.9", two, "RDPMC that CR4.PCE forbids raises #GP before the intercept.";
    PROTECTED_FIRST = "intercept.protected-mode-first", "15.9", two, "SLDT, STR, LLDT, LTR and the instructions of SVM but VMMCALL raise #UD in real and virtual-8086 mode, before their intercepts.",
        silent("15.7", "instruction intercepts are generally checked after simple exceptions such as #UD, which the pages of vol. 3 list for these modes");
    LOCK_FIRST = "intercept.lock-first", "15.9", one, "An instruction that cannot have a LOCK prefix raises #UD with one, whatever is intercepted.",
        silent("vol. 3, 1.2.5", "with the prefix it is no valid instruction, thus none that has an intercept");
    RDPMC_COUNTER_FIRST = "intercept.rdpmc-counter-first", "15.9", two, "RDPMC of a counter that there is not raises #GP before the intercept.";
    MONITOR_MEMORY_FIRST = "intercept.monitor-memory-first", "15.9", one, "MONITOR checks its operand as a load of a byte does, and before the intercept.";
    UD_FIRST = "intercept.ud-first", "15.9", two, "An instruction that CPUID does not offer raises #UD even where its intercept is set.",
        silent("kvm-unit-tests svm_unsupported_instruction_intercept_test", "it expects #UD in the guest and no exit");
    UMIP_FIRST = "intercept.umip-first", "15.9", two, "A descriptor-table read that CR4.UMIP forbids raises #GP before the intercept.",
        silent("15.9", "UMIP is newer than the list, but its #GP is one of the exceptions that the list checks first");
    SWINT_BEFORE_EXCEPTIONS = "intercept.swint-first", "15.9", one, "The INTn intercept is checked before any exception of the INTn.";
    SWINT_NOT_EXCEPTION = "intercept.swint-not-exception", "15.9", one, "INTn to a vector below 32 is not intercepted by the exception intercepts.";
    ICEBP_NOT_DB = "intercept.icebp-not-db", "15.9", one, "INT1 is not intercepted by the #DB intercept.";
    NARROW_OPERAND = "registers.narrow-operand", "SMSW", two, "SMSW, SLDT and STR write 16 bits of a register in 16-bit code, and leave the others.";
    VMMCALL_UD = "intercept.vmmcall-ud", "15.9", one, "VMMCALL without its intercept raises #UD.";
    MWAIT_ARMED = "intercept.mwait-armed", "15.9", two, "MWAIT with the monitor armed and the armed intercept set exits with 0x8c; otherwise the plain intercept is asked.";
    SHUTDOWN = "intercept.shutdown", "15.14.3", one, "A shutdown with its intercept set exits with 0x7f.";
}
