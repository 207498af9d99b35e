//! Virtual NMI (15.21.10).

use super::mutants;
use crate::rules::table::rules;

rules! { Vnmi;
    SUPPORTED = "vnmi.supported", "15.21.10", two, "V_NMI_ENABLE has an effect only where CPUID offers virtual NMI.";
    NEEDS_INTERCEPT = "vnmi.needs-nmi-intercept", "15.21.10", two, "V_NMI_ENABLE without the NMI intercept is refused with VMEXIT_INVALID.";
    TAKEN = "vnmi.taken", "15.21.10", two, "A set V_NMI is delivered as vector 2 when virtual NMIs are not masked.";
    TAKEN_CLEARS = "vnmi.taken-clears", "15.21.10", one, "Taking it clears V_NMI and sets V_NMI_MASK, and #VMEXIT writes both back.";
    IRET_UNMASKS = "vnmi.iret-unmasks", "15.21.10", one, "IRET in the guest clears V_NMI_MASK.";
    EXIT_UNMASKS = "vnmi.exit-unmasks", "15.21.10", one, "A #VMEXIT while the NMI is being delivered clears V_NMI_MASK.";
    IGNORES_IF = "vnmi.ignores-if", "15.21.10", one, "A virtual NMI is taken whatever RFLAGS.IF says.";
    VGIF_BLOCKS = "vnmi.vgif-blocks", "15.21.10", two, "With virtual GIF enabled, a clear V_GIF holds virtual NMIs.";
    EVENTINJ_MASKS = "vnmi.eventinj-masks", "15.21.10", one, "Injecting an NMI through EVENTINJ sets V_NMI_MASK.";
    SHADOW = "vnmi.shadow", "15.21.10", two, "A virtual NMI waits for the end of the interrupt shadow.";
    PHYSICAL_FIRST = "vnmi.physical-first", "15.21.10", one, "A physical NMI comes before a virtual one.",
        broken = Instead(mutants::virtual_first);
    BEFORE_INTR = "vnmi.before-intr", "15.21.10", one, "A virtual NMI follows the rules of a physical one, which comes before a maskable interrupt (8.5).",
        broken = Instead(mutants::interrupt_first);
}
