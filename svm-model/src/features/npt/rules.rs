//! Nested paging (15.25).

use super::mutants;
use crate::arch::exit;
use crate::rules::table::rules;

rules! { Npt;
    ENABLED = "npt.enabled", "15.25.3", two, "With NP_ENABLE clear guest-physical addresses are system-physical.";
    CODE = "npt.exitcode", "15.25.6", one, "A fault of the nested walk exits with 0x400.",
        broken = Is(exit::EXCP + 14);
    INFO2 = "npt.exitinfo2", "15.25.6", one, "EXITINFO2 has the faulting guest-physical address.";
    PRESENT = "npt.present", "15.25.6", two, "A nested entry without P faults.";
    FAULT_PRESENT = "npt.exitinfo1-present", "15.25.6", two, "EXITINFO1 bit 0 is set where the fault is one of permission or a reserved bit.";
    WRITE = "npt.write", "15.25.6", two, "A write through a nested entry without R/W faults with bits 0 and 1 set.";
    USER = "npt.user", "15.25.5", two, "Every nested access counts as a user access: a supervisor nested entry faults, bit 2 is always set.";
    NX = "npt.nx", "15.25.6", two, "A fetch through a nested entry with NX faults with bit 4 set, where the host's EFER.NXE is set.";
    NX_DISABLED = "npt.nx-disabled", "15.25.6", two, "With the host's EFER.NXE clear, NX in a nested entry is reserved and a fault does not report bit 4.";
    RESERVED = "npt.reserved", "15.25.6", two, "A set reserved bit in a nested entry faults with bits 0 and 3 set.";
    RESERVED_ROOT = "npt.reserved-root", "15.25.6", two, "Bit 7 in a nested PML4 entry is reserved; bit 8 too.",
        silent("kvm-unit-tests svm_npt_rsvd_bits_test", "it sets bit 8 of a top-level entry and expects the fault");
    RESERVED_LARGE = "npt.reserved-large", "15.25.6", two, "Address bits below a large page's size are reserved in its nested entry, PAT bit apart.";
    RESERVED_PHYS = "npt.reserved-phys", "15.25.6", two, "Address bits at or above the physical address size are reserved in a nested entry.";
    RESERVED_1G = "npt.reserved-1g", "15.25.6", two, "Bit 7 of a nested PDPE is reserved where CPUID offers no 1 GiB pages.";
    FINAL = "npt.final-walk", "15.25.6", two, "Bit 32 of EXITINFO1 is set where the final address faulted.";
    TABLE_WALK = "npt.table-walk", "15.25.6", two, "Bit 33 of EXITINFO1 is set where a guest page-table access faulted.";
    TABLE_WRITE = "npt.table-write", "15.25.6", one, "A guest page-table walk counts as a write to the nested tables.";
    ACCESSED = "npt.accessed", "15.25.5", one, "The walk sets A in every nested entry that it uses.";
    DIRTY = "npt.dirty", "15.25.5", one, "A write sets D in the nested leaf entry; a read does not.";
    GUEST_ACCESSED = "npt.guest-accessed", "15.25.5", one, "The guest walk sets A (and for writes D) in the guest's own entries.";
    WP_HOST = "npt.host-wp", "15.25.5", one, "The host's CR0.WP does not matter to nested permissions: they are always enforced.";
    GPAT_LOAD = "npt.gpat-load", "15.25.2", two, "With nested paging the guest has its own PAT, loaded from G_PAT and saved there.";
    GPAT_HOST = "npt.host-pat", "15.25.2", one, "#VMEXIT leaves the host with its own PAT.";
    GPAT_WRITE = "npt.gpat-write", "15.25.2", one, "The guest's write of the PAT MSR changes G_PAT only.";
    CR3_GPA = "npt.cr3-gpa", "15.25.4", one, "Guest CR3 is a guest-physical address, translated by the nested tables.";
    FETCH = "npt.fetch", "15.25.6", two, "Bit 4 of EXITINFO1 tells an instruction fetch from a data access.";
    LEAF_SIZE = "npt.page-size", "15.25.8", two, "Guest and nested page sizes are independent.";
    NOT_PF = "npt.not-pf", "15.25.6", one, "A nested page fault is no #PF: its intercept is not asked, CR2 does not change.",
        broken = Instead(mutants::page_fault);
}
