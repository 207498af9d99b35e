//! Next RIP (15.7.1).

use crate::rules::table::rules;

rules! { Nrip;
    SUPPORTED = "nrip.supported", "15.7.1", two, "The field is written only where CPUID offers it.";
    INSTRUCTION = "nrip.instruction", "15.7.1", one, "An instruction intercept saves the RIP of the next instruction.";
    CR_DR = "nrip.cr-dr", "15.7.1", one, "A control- or debug-register intercept saves the RIP of the next instruction.";
    MSR_IO = "nrip.msr-io", "15.7.1", one, "An MSR or I/O intercept saves the RIP of the next instruction.";
    SOFT_EXCEPTION = "nrip.soft-exception", "15.7.1", one, "An intercepted #BP of INT3 saves the RIP of the next instruction.";
    OTHERS_ZERO = "nrip.others-zero", "15.7.1", one, "Every other exit saves zero.";
}
