//! What a model does that breaks one of the rules by which something comes later.

use crate::machine::{Flow, Machine, Scene};

/// Takes the virtual NMI before a physical one.
pub(crate) fn virtual_first(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    m.virtual_nmi_in_guest()
}

/// Takes the maskable interrupt before the virtual NMI.
pub(crate) fn interrupt_first(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    m.interrupt_in_guest()
}
