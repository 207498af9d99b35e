//! TSC offset and TSC ratio (15.30.5).

use crate::rules::table::rules;

rules! { TscScale;
    OFFSET = "tsc.offset", "15.30.5", one, "RDTSC in the guest returns the TSC plus TSC_OFFSET.",
        broken = Is(0);
    OFFSET_RDTSCP = "tsc.offset-rdtscp", "15.30.5", one, "RDTSCP in the guest includes TSC_OFFSET.",
        broken = Is(0);
    OFFSET_MSR = "tsc.offset-msr", "15.30.5", one, "RDMSR of the TSC in the guest includes TSC_OFFSET.",
        broken = Is(0);
    RATIO_SUPPORTED = "tsc.ratio-supported", "15.30.5", two, "The TSC ratio MSR raises #GP where CPUID does not offer it.";
    RATIO_RESERVED = "tsc.ratio-reserved", "15.30.5", two, "Bits 63:40 of the TSC ratio are reserved; writing one raises #GP.";
    RATIO_RESET = "tsc.ratio-reset", "15.30.5", one, "The ratio is 1.0 (bit 32) at reset.";
}
