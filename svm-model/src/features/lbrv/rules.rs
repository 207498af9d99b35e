//! LBR virtualisation (15.23).

use super::mutants;
use crate::rules::table::rules;

rules! { Lbrv;
    SUPPORTED = "lbrv.supported", "15.23.2", two, "The enable bit has an effect only where CPUID offers LBR virtualisation.";
    LOAD = "lbrv.load", "15.23.1", one, "With it, VMRUN loads DEBUGCTL and the last-branch records.";
    SAVE = "lbrv.save", "15.23.1", one, "With it, #VMEXIT saves them in the VMCB.";
    HOST = "lbrv.host", "15.23.1", one, "With it, #VMEXIT reloads the host's DEBUGCTL and records.";
    SHARED = "lbrv.shared", "15.23.1", one, "Without it, the guest runs with the host's DEBUGCTL and records, and the VMCB fields are left.",
        broken = Instead(mutants::saved);
    DEBUGCTL_RESERVED = "lbrv.debugctl-reserved", "vol. 2, 13.1.1.6", two, "Writing a reserved bit of DEBUGCTL raises #GP.";
    DEBUGCTL_READ = "lbrv.debugctl-read", "vol. 2, 13.1.1.6", one, "DEBUGCTL reads back, with or without LBR virtualisation.";
    RECORDS = "lbrv.records", "vol. 2, 13.1.1.7", two, "With DEBUGCTL.LBR set a taken branch records its source and target.";
    DB_CLEARS = "lbrv.db-clears", "vol. 2, 13.1.1.6", one, "A delivered #DB clears DEBUGCTL.LBR.";
}
