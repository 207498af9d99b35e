//! Virtual interrupts, the TPR and the interrupt shadow (15.21).

use super::mutants;
use crate::rules::table::rules;

rules! { Virq;
    V_IRQ = "virq.v-irq", "15.21.4", two, "A set V_IRQ makes a virtual interrupt pending for the guest.";
    GUEST_IF = "virq.guest-if", "15.21.4", two, "A virtual interrupt waits for the guest's RFLAGS.IF.";
    SHADOW = "virq.shadow", "15.21.5", two, "A virtual interrupt waits for the end of the interrupt shadow.";
    PRIORITY = "virq.priority", "15.21.4", two, "A virtual interrupt is taken only where V_INTR_PRIO is above V_TPR, unless V_IGN_TPR is set.";
    IGN_TPR = "virq.ign-tpr", "15.21.4", two, "V_IGN_TPR makes the virtual interrupt ignore V_TPR.";
    VINTR = "virq.vintr-intercept", "15.21.4", two, "A virtual interrupt about to be taken, with the VINTR intercept set, exits with 0x64.";
    VINTR_KEEPS = "virq.vintr-keeps-v-irq", "15.21.4", one, "The VINTR exit leaves V_IRQ set.",
        broken = Instead(mutants::v_irq_lost);
    TAKEN = "virq.taken", "15.21.4", one, "A virtual interrupt is delivered with V_INTR_VECTOR through the guest's IDT.",
        broken = Is(0);
    TAKEN_CLEARS = "virq.taken-clears-v-irq", "15.21.4", one, "Taking the virtual interrupt clears V_IRQ, and #VMEXIT writes that back.";
    PENDING_SAVED = "virq.pending-saved", "15.21.4", one, "A virtual interrupt not taken leaves V_IRQ set in the VMCB.";
    PHYSICAL_FIRST = "virq.physical-first", "15.21.4", one, "A physical interrupt that can be taken comes before a virtual one.",
        broken = Instead(mutants::virtual_first);
    MASKING = "virq.masking-if", "15.21.1", two, "With V_INTR_MASKING the host's RFLAGS.IF governs physical interrupts; otherwise the guest's does.";
    MASKING_PHYSICAL = "virq.physical-to-guest", "15.21.1", one, "An unintercepted physical interrupt is delivered through the guest's IDT.";
    CR8_READ = "virq.cr8-read", "15.21.2", two, "With V_INTR_MASKING a read of CR8 returns V_TPR; otherwise the physical TPR.";
    CR8_WRITE_PHYSICAL = "virq.cr8-write-physical", "15.21.2", two, "With V_INTR_MASKING a write of CR8 leaves the physical TPR; otherwise it writes it too.";
    CR8_WRITE_VTPR = "virq.cr8-write-v-tpr", "15.21.2", one, "A write of CR8 in the guest writes V_TPR.";
    VTPR_SAVED = "virq.v-tpr-saved", "15.21.2", one, "#VMEXIT writes V_TPR back.";
    CR8_GP = "virq.cr8-reserved", "vol. 2, 3.1.5", two, "A CR8 value above 15 raises #GP.";
    STI_SHADOW = "virq.sti-shadow", "15.21.5", two, "STI that sets IF holds interrupts until after the next instruction.";
    HLT_WAKES = "virq.hlt", "15.21.4", one, "HLT in the guest ends when a virtual interrupt can be taken.";
    INTCTL_KEPT = "virq.int-ctl-kept", "15.21.4", one, "#VMEXIT leaves V_INTR_PRIO, V_IGN_TPR, V_INTR_MASKING and V_INTR_VECTOR in the VMCB.",
        broken = Instead(mutants::vector_cleared);
    TPR_PHYSICAL = "virq.tpr-physical", "15.21.2", two, "The physical TPR holds physical interrupts of its priority class and below, whatever V_TPR is.";
}
