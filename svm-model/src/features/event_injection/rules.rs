//! EVENTINJ and EXITINTINFO (15.20, 15.7.2).

use super::mutants;
use crate::rules::table::rules;

rules! { EventInjection;
    VALID = "eventinj.valid", "15.20", two, "EVENTINJ with V clear injects nothing and is not checked.";
    TYPE_RESERVED = "eventinj.type-reserved", "15.20", two, "Injecting a reserved TYPE (1, 5, 6, 7) is refused with VMEXIT_INVALID.";
    VECTOR_NOT_EXCEPTION = "eventinj.vector-not-exception", "15.20", two, "Injecting TYPE 3 with a vector that is no exception (2, above 31) is refused.";
    VECTOR_RESERVED = "eventinj.vector-reserved", "15.20", two, "Injecting TYPE 3 with a vector that table 8-1 reserves, which is no exception either, is refused.";
    IMPOSSIBLE = "eventinj.impossible-for-mode", "15.20", two, "Injecting #OF or #BR as an exception into a guest in 64-bit mode is refused.";
    DELIVERED = "eventinj.delivered", "15.20", one, "The event is delivered through the guest's IDT before the first guest instruction.";
    RIP_PUSHED = "eventinj.rip-pushed", "15.20", one, "The RIP pushed for an injected INTR, NMI or exception is the guest RIP.",
        broken = Is(0);
    SOFT_INT_RIP = "eventinj.soft-int-rip", "15.20", two, "For TYPE 4, and for TYPE 3 with vectors 3 and 4, the RIP pushed is nRIP where the processor saves next RIPs.",
        silent("Linux KVM svm.c and 15.7.1", "the text says that these events push the next instruction's RIP; KVM puts it into nRIP where that is offered and otherwise advances RIP itself");
    ERROR_PUSHED = "eventinj.error-pushed", "15.20", two, "With EV set the error code is pushed; with EV clear none is.";
    NOT_INTERCEPTED = "eventinj.not-intercepted", "15.20", one, "Injected events are not subject to intercepts.",
        broken = Instead(mutants::intercepted);
    IGNORES_IF = "eventinj.ignores-if", "15.20", one, "An injected INTR is delivered whatever RFLAGS.IF and the interrupt shadow say.";
    BEFORE_PENDING = "eventinj.before-pending", "15.20", one, "The injected event is delivered before a pending interrupt is taken.",
        broken = Instead(mutants::pending_first);
    NMI_NO_BLOCK = "eventinj.nmi-does-not-block", "15.20", one, "An injected NMI does not block further NMIs.",
        broken = Instead(mutants::blocks_nmis);
    ENDS_SHADOW = "eventinj.shadow-cleared", "15.20", one, "Delivery of an event ends an interrupt shadow.",
        silent("vol. 2, 8.5", "the shadow covers one instruction boundary, and delivery passes it");
    FAULT_SETS_EXITINTINFO = "exitintinfo.delivery-fault", "15.7.2", one, "An intercept taken while an event was being delivered reports the event in EXITINTINFO.";
    FAULT_KEEPS_RIP = "exitintinfo.rip", "15.7.2", one, "Such an exit saves the state as before the delivery began.",
        broken = Instead(mutants::rip_lost);
    TYPE_INTR = "exitintinfo.type-intr", "15.7.2", one, "TYPE 0 reports an external or virtual interrupt.",
        broken = Is(7);
    TYPE_NMI = "exitintinfo.type-nmi", "15.7.2", one, "TYPE 2 reports an NMI.",
        broken = Is(7);
    TYPE_EXCEPTION = "exitintinfo.type-exception", "15.7.2", one, "TYPE 3 reports an exception, INT3 and INTO included.",
        broken = Is(7);
    TYPE_SOFT = "exitintinfo.type-soft", "15.7.2", one, "TYPE 4 reports a software interrupt (INTn).",
        broken = Is(7);
    ERROR_CODE = "exitintinfo.error-code", "15.7.2", two, "EV and the error code report what delivery would have pushed.";
    DOUBLE_FAULT = "exitintinfo.double-fault", "15.12.9", two, "Two contributory exceptions, or a page fault and one, become a #DF, which is what the intercept of #DF sees.";
    INTERMEDIATE_INTERCEPT = "exitintinfo.first-exception-intercept", "15.12", one, "The intercept of the second exception is checked before the two become a #DF.";
    TRIPLE_FAULT = "exitintinfo.triple-fault", "15.14.3", two, "A fault while #DF is delivered is a shutdown.";
}
