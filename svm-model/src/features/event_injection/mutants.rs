//! What a model does that breaks one of the rules by which something is left alone.

use crate::machine::{Flow, Machine, Scene};

/// Intercepts the event.
pub(crate) fn intercepted(m: &mut Machine<'_>, scene: Scene<'_>) -> Flow {
    let Scene::Event(event) = scene else { return Ok(()) };
    m.intercept_exception(event)
}

/// Blocks NMIs.
pub(crate) fn blocks_nmis(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    m.pending.nmi_blocked = true;
    Ok(())
}

/// Saves another RIP.
pub(crate) fn rip_lost(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    m.r.rip = 0;
    Ok(())
}

/// Takes what is pending first.
pub(crate) fn pending_first(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    m.boundary()
}
