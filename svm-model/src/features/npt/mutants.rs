//! What a model does that breaks one of the rules by which something is left alone.

use crate::machine::{Flow, Machine, Scene, Stop};

/// Raises #PF in the guest.
pub(crate) fn page_fault(_: &mut Machine<'_>, scene: Scene<'_>) -> Flow {
    let Scene::Event(fault) = scene else { return Ok(()) };
    Err(Stop::Raise(*fault))
}
