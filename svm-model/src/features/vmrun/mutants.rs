//! What a model does that breaks one of the rules by which something is left alone.

use crate::arch::vmcb::Field;
use crate::machine::{Flow, Machine, Scene};

/// Saves the host's RIP over the guest's.
pub(crate) fn rip_saved(m: &mut Machine<'_>, scene: Scene<'_>) -> Flow {
    if let Scene::Vmcb(pa) = scene {
        m.mem.set_field(pa, Field::RIP, m.r.rip);
    }
    Ok(())
}
