//! What a model does that breaks one of the rules by which something is left alone.

use crate::arch::vmcb::Field;
use crate::machine::{Flow, Machine, Scene};

/// Writes DBGCTL.
pub(crate) fn saved(m: &mut Machine<'_>, scene: Scene<'_>) -> Flow {
    if let Scene::Vmcb(pa) = scene {
        m.mem.set_field(pa, Field::DBGCTL, !0);
    }
    Ok(())
}
