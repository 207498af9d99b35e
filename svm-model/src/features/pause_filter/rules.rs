//! PAUSE intercept filter and threshold (15.14.4).

use super::mutants;
use crate::rules::table::rules;

rules! { PauseFilter;
    SUPPORTED = "pause.supported", "15.14.4", two, "The count has an effect only where CPUID offers the filter.";
    COUNT = "pause.count", "15.14.4", two, "With a count of n, the first n PAUSEs do not exit; the next does.";
    ZERO = "pause.zero", "15.14.4", two, "A count of zero makes every PAUSE exit.";
    NEEDS_INTERCEPT = "pause.needs-intercept", "15.14.4", two, "Without the PAUSE intercept the count does nothing.";
    THRESHOLD = "pause.threshold-supported", "15.14.4", two, "The threshold has an effect only where CPUID offers it.";
    LOADED = "pause.loaded", "15.14.4", one, "VMRUN loads the internal counter; the VMCB field does not change.",
        broken = Instead(mutants::count_written);
}
