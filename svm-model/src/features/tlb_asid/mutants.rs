//! What a model does that breaks one of the rules by which something is left alone.

use crate::arch::vmcb::Field;
use crate::machine::{Flow, Machine, Scene};

/// Raises #GP.
pub(crate) fn refused(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    Err(m.gp(0))
}

/// Raises #UD.
pub(crate) fn undefined(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    Err(m.ud())
}

/// Clears TLB_CONTROL.
pub(crate) fn control_cleared(m: &mut Machine<'_>, scene: Scene<'_>) -> Flow {
    if let Scene::Vmcb(pa) = scene {
        m.mem.set_field(pa, Field::TLB_CONTROL, 0);
    }
    Ok(())
}

/// Clears the ASID.
pub(crate) fn asid_cleared(m: &mut Machine<'_>, scene: Scene<'_>) -> Flow {
    if let Scene::Vmcb(pa) = scene {
        m.mem.set_field(pa, Field::GUEST_ASID, 0);
    }
    Ok(())
}

/// Lets the guest see the translations of all ASIDs.
pub(crate) fn asids_shared(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    let asid = m.guest.as_ref().map_or(0, |g| g.ctl.get(Field::GUEST_ASID));
    m.used.iter_mut().for_each(|(a, ..)| *a = asid);
    Ok(())
}
