//! What a model does that breaks one of the rules by which something is left alone.

use crate::machine::{Flow, Machine, Scene};

/// Forgets the INIT.
pub(crate) fn init_lost(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    m.pending.init = false;
    Ok(())
}

/// Forgets the NMI.
pub(crate) fn nmi_lost(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    m.pending.nmi = false;
    Ok(())
}

/// Forgets the interrupt.
pub(crate) fn interrupt_lost(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    if let Some(vector) = m.pending.highest() {
        m.pending.take(vector);
    }
    Ok(())
}
