//! IN, OUT and their string forms: the I/O permission map and EXITINFO (15.10).

use crate::rules::table::rules;

rules! { Intercepts;
    IOIO_PROT = "intercept.ioio", "15.10", two, "Port I/O is checked against the I/O map only where IOIO_PROT is set.";
    IOIO_BIT = "intercept.ioio-bit", "15.10.1", two, "An access whose port has its bit set in the map exits with 0x7b.";
    IOIO_SPAN = "intercept.ioio-span", "15.10.1", two, "A wider access exits if the bit of any of its ports is set, into the third page of the map.";
    IOIO_INFO1 = "intercept.ioio-exitinfo1", "15.10.2", one, "EXITINFO1 has port, operand size, address size, string, REP and direction.";
    IOIO_INFO2 = "intercept.ioio-exitinfo2", "15.10.2", one, "EXITINFO2 has the RIP of the instruction after the IN or OUT.",
        broken = Is(0);
    IOIO_STRING = "intercept.ioio-string", "15.10.2", one, "INS and OUTS set the STR bit, with REP also the REP bit.",
        broken = Is(0);
    IOIO_IOPL_FIRST = "intercept.ioio-iopl-first", "15.10", two, "An access that IOPL and the TSS forbid raises #GP before the map is checked.";
}
