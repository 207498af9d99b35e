//! Debug state across the world switch (15.5, 15.12.2).

use super::mutants;
use crate::rules::table::rules;

rules! { Debug;
    TF_TRAP = "debug.tf", "vol. 2, 13.1.4", two, "With RFLAGS.TF set an instruction ends in #DB with DR6.BS set.";
    TF_INJECT = "debug.tf-inject", "vol. 2, 8.5", one, "Delivery of an event clears TF.";
    ICEBP_DB = "debug.icebp", "vol. 3, INT1", one, "INT1 raises a #DB that leaves DR6 as it was.",
        broken = Instead(mutants::icebp_steps);
    EXEC_BREAKPOINT = "debug.exec-breakpoint", "vol. 2, 13.1.3", two, "An enabled execution breakpoint raises #DB before the instruction, unless RF is set.";
    GD = "debug.general-detect", "vol. 2, 13.1.1.4", two, "With DR7.GD set a debug-register access raises #DB with DR6.BD set and GD clear.";
    DE_ALIAS = "debug.dr4-dr5", "vol. 2, 13.1.1.5", two, "DR4 and DR5 raise #UD with CR4.DE set, and alias DR6 and DR7 otherwise.";
    DR6_FIXED = "debug.dr6-fixed", "vol. 2, 13.1.1.3", one, "Reserved bits of DR6 and DR7 read as their fixed values.";
    GD_FIRST = "debug.general-detect-first", "15.9", one, "The #DB of general detect comes before the intercept of the debug register.";
    DATA_BREAKPOINT = "debug.data-breakpoint", "vol. 2, 13.1.3.2", two, "An access to a byte that an enabled data breakpoint watches raises #DB behind the instruction, with that breakpoint's bit of DR6.";
    WRITE_ONLY = "debug.breakpoint-write-only", "vol. 2, 13.1.3.2", two, "A breakpoint on writes is not met by a read.";
    LENGTH = "debug.breakpoint-length", "vol. 2, 13.1.2", one, "A breakpoint watches as many bytes as LEN says, from the address on that DRn has without its low bits.",
        broken = Is(0);
    IO_BREAKPOINT = "debug.io-breakpoint", "vol. 2, 13.1.3.3", two, "An IN or OUT of a port that an enabled I/O breakpoint watches raises #DB behind the instruction.";
    IO_NEEDS_DE = "debug.io-breakpoint-de", "vol. 2, 3.1.3", two, "With CR4.DE clear an I/O breakpoint is not met.";
    STREAM = "debug.stream", "vol. 2, 13.1.4", one, "Where the delivery of a #DB meets a data breakpoint, what is pending is taken before the #DB for that.",
        silent("the advisory XSA-156, and what 13.1.4 says of a single step", "an interrupt comes in front of the first instruction of a #DB handler; were the next #DB always first, nothing would end such a stream but an intercept, which processors have been seen to need, and which the advisory calls no architecture");
    DR6_UPDATED = "debug.dr6-updated", "vol. 2, 13.1.1.3", one, "A breakpoint or general detect sets the bits of the breakpoints that are met, and clears those of the others.",
        broken = Is(u64::MAX);
    BTF = "debug.btf", "vol. 2, 13.1.6.2", two, "With DebugCtl.BTF set, TF traps behind an instruction only if that has transferred control.";
    BTF_CLEARED = "debug.btf-cleared", "vol. 2, 13.1.6.2", one, "A #DB, intercepted or not, clears DebugCtl.BTF.";
    RF_FAULT = "event.rf-fault", "vol. 2, 3.1.6", one, "A fault pushes RFLAGS with RF set.",
        broken = Is(0);
    RF_INTERRUPT = "event.rf-interrupt", "vol. 2, 3.1.6", one, "An interrupt or an NMI pushes RFLAGS with RF as it is.",
        broken = Xor(1 << 16);
    RF_SOFTWARE = "event.rf-software", "vol. 2, 3.1.6", one, "INTn, INT3, INTO and INT1 have completed, and push RFLAGS with RF clear.",
        broken = Xor(1 << 16);
    RF_DEBUG = "event.rf-debug", "vol. 2, 3.1.6", one, "The #DB of an instruction breakpoint, and that of a trap, pushes RFLAGS with RF clear.",
        broken = Xor(1 << 16);
    DR_WRITE_HIGH = "debug.dr-write-high", "vol. 2, 13.1.1", two, "Writing DR6 or DR7 with a bit set among 63:32 raises #GP.";
}
