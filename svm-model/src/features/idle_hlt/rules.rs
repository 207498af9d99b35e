//! The idle HLT intercept (15.9, Table 15-7).

use crate::rules::table::rules;

rules! { IdleHlt;
    SUPPORTED = "idle-hlt.supported", "15.9", two, "The intercept bit has an effect only where CPUID offers the idle HLT intercept.";
    EXIT = "idle-hlt.exit", "15.9", one, "HLT with the idle HLT intercept set exits with 0xa6, before it executes.";
    HLT_FIRST = "idle-hlt.hlt-first", "15.9", one, "Where both are set, the HLT intercept goes before the idle HLT intercept.";
    V_IRQ = "idle-hlt.virq", "15.9", two, "HLT with a virtual interrupt pending is not intercepted as idle.";
    V_NMI = "idle-hlt.vnmi", "15.9", two, "HLT with a virtual NMI pending is not intercepted as idle.";
}
