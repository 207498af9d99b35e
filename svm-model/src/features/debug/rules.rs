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
    DR_WRITE_HIGH = "debug.dr-write-high", "vol. 2, 13.1.1", two, "Writing DR6 or DR7 with a bit set among 63:32 raises #GP.";
}
