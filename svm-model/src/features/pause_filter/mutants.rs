//! What a model does that breaks one of the rules by which something is left alone.

use crate::arch::vmcb::Field;
use crate::machine::{Flow, Machine, Scene};

/// Writes what is left of the count.
pub(crate) fn count_written(m: &mut Machine<'_>, scene: Scene<'_>) -> Flow {
    if let Scene::Leaving(guest) = scene {
        m.mem.set_field(guest.vmcb_pa, Field::PAUSE_FILTER_COUNT, guest.pauses);
    }
    Ok(())
}
