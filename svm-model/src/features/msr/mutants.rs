//! What a model does that breaks one of the rules by which something is left alone.

use crate::machine::{Flow, Machine, Scene};

/// Writes the MSR, ahead of the intercept.
pub(crate) fn written_first(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    let value = m.r.gpr[2] << 32 | m.r.gpr[0] & 0xffff_ffff;
    m.write_msr(m.r.gpr[1] as u32, value)
}

/// Restores the host's STAR.
pub(crate) fn star_restored(m: &mut Machine<'_>, scene: Scene<'_>) -> Flow {
    if let Scene::Leaving(guest) = scene {
        m.r.hidden.star = guest.host.hidden.star;
    }
    Ok(())
}
