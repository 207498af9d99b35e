//! What a model does that breaks one of the rules by which something is left alone.

use crate::arch::int_ctl;
use crate::arch::vmcb::Field;
use crate::machine::{Flow, Machine, Scene};

/// Takes what is virtual first.
pub(crate) fn virtual_first(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    m.virtual_in_guest()
}

/// Clears V_IRQ.
pub(crate) fn v_irq_lost(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    if let Some(guest) = &mut m.guest {
        guest.int_ctl &= !int_ctl::V_IRQ;
    }
    Ok(())
}

/// Clears the vector.
pub(crate) fn vector_cleared(m: &mut Machine<'_>, scene: Scene<'_>) -> Flow {
    if let Scene::Vmcb(pa) = scene {
        m.mem.set_field(pa, Field::INT_VECTOR, 0);
    }
    Ok(())
}
