//! The bus lock threshold (15.14.5).

use super::mutants;
use crate::rules::table::rules;

rules! { BusLock;
    SUPPORTED = "bus-lock.supported", "15.14.5", two, "The enable bit and the count have an effect only where CPUID offers the bus lock threshold.";
    ENABLED = "bus-lock.enabled", "15.14.5", two, "Bus locks are counted where the enable bit is set.";
    LOCKED = "bus-lock.locked", "vol. 2, 7.3.3", two, "Only a locked access is a bus lock.";
    SPLIT = "bus-lock.split", "vol. 2, 7.3.3", two, "A locked access to cacheable memory is a bus lock if it crosses a cache line.",
        silent("AMD processors", "the line of every processor with SVM has 64 bytes, which CPUID Fn8000_0005 reports");
    COUNT = "bus-lock.count", "15.14.5", two, "With a count above zero the bus lock executes, and takes one off.";
    EXIT = "bus-lock.exit", "15.14.5", one, "With a count of zero the bus lock does not execute, but exits with 0xa5.";
    INFO = "bus-lock.exitinfo", "15.14.5", one, "The exit has zero in EXITINFO1 and EXITINFO2.",
        broken = Is(1);
    FAULT_FIRST = "bus-lock.fault-first", "15.14.5", one, "An access that faults is no bus lock: nothing is counted, and nothing exits, before it is known that the access can be made.",
        broken = Instead(mutants::counted_first);
    SAVED = "bus-lock.saved", "15.14.5", one, "#VMEXIT writes what is left of the count to the VMCB.";
}
