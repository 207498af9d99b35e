//! Guest mode execute trap (15.25.14).

use super::table::rules;

rules! { Gmet after super::npt::END;
    SUPPORTED = "gmet.supported", "15.25.14", two, "The enable bit in NESTED_CTL has an effect only where CPUID offers GMET.";
    SUPERVISOR_FETCH = "gmet.supervisor-fetch", "15.25.14", two, "With GMET a supervisor fetch from a page whose nested entries are all user faults.";
    USER_FETCH = "gmet.user-fetch", "15.25.14", two, "With GMET a guest's user-mode fetch needs the nested user bit, a supervisor one must not have it.";
    DATA = "gmet.data", "15.25.14", one, "GMET concerns fetches only: data accesses need the nested user bit as before.";
}
