//! What a model does that breaks one of the rules by which something is left alone.

use crate::arch::vmcb::Field;
use crate::machine::{Flow, Machine, Scene, Stop};

/// Leaves what follows open.
pub(crate) fn fault_lost(_: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    Err(Stop::Open)
}

/// Writes RIP.
pub(crate) fn rip_saved(m: &mut Machine<'_>, scene: Scene<'_>) -> Flow {
    if let Scene::Vmcb(pa) = scene {
        m.mem.set_field(pa, Field::RIP, !0);
    }
    Ok(())
}
