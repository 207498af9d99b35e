//! Guest mode execute trap (15.25.13).

use crate::rules::table::rules;

rules! { Gmet;
    SUPPORTED = "gmet.supported", "15.25.13", two, "The enable bit in NESTED_CTL has an effect only where CPUID offers GMET.";
    SUPERVISOR_FETCH = "gmet.supervisor-fetch", "15.25.13", two, "With GMET a supervisor fetch from a page whose nested entries are all user faults.";
    USER_FETCH = "gmet.user-fetch", "15.25.13", one, "With GMET a user-mode fetch does not ask for the nested user bit.";
    DATA = "gmet.data", "15.25.13", one, "With GMET a data access does not ask for the nested user bit.",
        silent("15.25.13 and the feature's purpose", "the text redefines the bit and tells of fetches only; a kernel whose code pages have it clear must still read them");
}
