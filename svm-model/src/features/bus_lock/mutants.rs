//! What a model does that breaks one of the rules by which something is left alone.

use crate::machine::{Flow, Machine, Scene};

/// Counts what is about to be accessed.
pub(crate) fn counted_first(m: &mut Machine<'_>, scene: Scene<'_>) -> Flow {
    if let Scene::Access(linear) = scene { m.bus_lock(linear, true) } else { Ok(()) }
}
