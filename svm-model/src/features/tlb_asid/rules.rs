//! ASIDs, TLB_CONTROL and INVLPGA (15.15, 15.16).

use super::mutants;
use crate::rules::table::rules;

rules! { TlbAsid;
    FLUSH_ALL = "tlb.flush-all", "15.16.1", one, "TLB_CONTROL 1 drops every translation before the guest runs.";
    FLUSH_ASID = "tlb.flush-asid", "15.16.1", one, "TLB_CONTROL 3 drops the translations of the guest's ASID.";
    KEPT = "tlb.field-kept", "15.16.1", one, "The processor does not write TLB_CONTROL back.",
        broken = Instead(mutants::control_cleared);
    NEW_ASID = "tlb.new-asid", "15.16", one, "A guest ASID not used before starts without translations.",
        broken = Instead(mutants::asids_shared);
    INVLPGA_UD = "tlb.invlpga-ud", "INVLPGA", two, "INVLPGA with EFER.SVME clear raises #UD.";
    INVLPGA_OK = "tlb.invlpga", "15.16.2", one, "INVLPGA drops one translation of the ASID in ECX.",
        broken = Instead(mutants::undefined);
    INVLPGA_NONCANONICAL = "tlb.invlpga-noncanonical", "INVLPGA", one, "INVLPGA of a non-canonical address does nothing.",
        silent("vol. 3, INVLPGA and INVLPG", "the page lists no exception for the address"),
        broken = Instead(mutants::refused);
    ASID_KEPT = "tlb.asid-kept", "15.16", one, "The processor does not write GUEST_ASID.",
        broken = Instead(mutants::asid_cleared);
}
