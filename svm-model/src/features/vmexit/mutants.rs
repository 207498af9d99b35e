//! What a model does that breaks one of the rules by which something is left alone.

use crate::arch::vmcb::Field;
use crate::machine::{Flow, Machine, Scene};

/// Writes a field of VMSAVE.
pub(crate) fn hidden_written(m: &mut Machine<'_>, scene: Scene<'_>) -> Flow {
    if let Scene::Vmcb(pa) = scene {
        m.mem.set_field(pa, Field::KERNEL_GS_BASE, !0);
    }
    Ok(())
}

/// Writes an intercept word.
pub(crate) fn controls_written(m: &mut Machine<'_>, scene: Scene<'_>) -> Flow {
    if let Scene::Vmcb(pa) = scene {
        m.mem.set_field(pa, Field::INTERCEPT_MISC1, 0);
    }
    Ok(())
}

/// Restores the host's DR6.
pub(crate) fn dr6_restored(m: &mut Machine<'_>, scene: Scene<'_>) -> Flow {
    if let Scene::Leaving(guest) = scene {
        m.r.dr6 = guest.host.dr6;
    }
    Ok(())
}

/// Restores the host's CR2.
pub(crate) fn cr2_restored(m: &mut Machine<'_>, scene: Scene<'_>) -> Flow {
    if let Scene::Leaving(guest) = scene {
        m.r.cr2 = guest.host.cr2;
    }
    Ok(())
}
