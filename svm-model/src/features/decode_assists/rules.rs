//! Decode assists (15.8).

use crate::arch::control::MOV_CR;
use crate::rules::table::rules;

rules! { DecodeAssists;
    CR_GPR = "decode.cr-gpr", "15.8.1", two, "An intercepted MOV CR sets EXITINFO1 bit 63 and names the register in bits 3:0.";
    CR_OTHER = "decode.cr-other", "15.8.1", one, "For CLTS, LMSW and SMSW bit 63 of EXITINFO1 is clear.",
        broken = Is(MOV_CR);
    DR_GPR = "decode.dr-gpr", "15.8.1", two, "An intercepted MOV DR names the register in EXITINFO1 bits 3:0.";
    SWINT = "decode.swint", "15.8.2", two, "An intercepted INTn has its vector in EXITINFO1 bits 7:0.";
    INVLPG = "decode.invlpg", "15.8.3", two, "An intercepted INVLPG has its linear address in EXITINFO1.";
    BYTES = "decode.bytes", "15.8.4", two, "A data nested page fault or intercepted data #PF saves the instruction's bytes, 15 where they can be fetched.";
    BYTES_FETCH = "decode.bytes-fetch", "15.8.4", one, "Where the fault was the fetch itself the byte count is zero.",
        broken = Is(15);
    BYTES_OTHERS = "decode.bytes-others", "15.8.4", one, "Other exits save a byte count of zero.",
        broken = Is(15);
}
