//! Physical interrupts, NMIs, SMIs and INITs (15.13).

use super::mutants;
use crate::rules::table::rules;

rules! { Intercepts;
    INTR_EXIT = "intercept.intr-pending", "15.13.1", one, "An intercepted INTR exits without being acknowledged: it stays pending.",
        broken = Instead(mutants::interrupt_lost);
    INTR = "intercept.intr", "15.13.1", two, "A pending INTR with its intercept set exits with 0x60.";
    INTR_IF = "intercept.intr-if", "15.13.1", two, "A physical interrupt is recognised only where the governing IF is set.";
    NMI = "intercept.nmi", "15.13.2", two, "A pending NMI with its intercept set exits with 0x61.";
    NMI_PENDING = "intercept.nmi-pending", "15.13.2", one, "An intercepted NMI stays pending until the host sets GIF.",
        broken = Instead(mutants::nmi_lost);
    SMI = "intercept.smi", "15.13.3", two, "A pending SMI with its intercept set exits with 0x62.";
    SMI_EXTERNAL = "intercept.smi-external", "15.13.3", one, "EXITINFO1 of an intercepted SMI that is asserted externally has bit 0 set.",
        broken = Is(0);
    INIT = "intercept.init", "15.13.4", two, "A pending INIT with its intercept set exits with 0x63.";
    INIT_PENDING = "intercept.init-pending", "15.13.4", one, "An intercepted INIT stays pending.",
        broken = Instead(mutants::init_lost);
}
