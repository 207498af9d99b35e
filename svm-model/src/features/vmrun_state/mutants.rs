//! What a model does that breaks one of the rules by which something is left alone.

use crate::arch::vmcb::Field;
use crate::machine::guest::Guest;
use crate::machine::{Flow, Machine, Scene};

/// Loads RBX.
pub(crate) fn rbx_loaded(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    m.r.gpr[3] = 0;
    Ok(())
}

/// Loads a field of VMLOAD.
pub(crate) fn hidden_loaded(m: &mut Machine<'_>, scene: Scene<'_>) -> Flow {
    if let Scene::Loading(image) = scene {
        m.r.hidden.kernel_gs_base = image.get(Field::KERNEL_GS_BASE);
    }
    Ok(())
}

/// Loads DR0 to DR3.
pub(crate) fn breakpoints_loaded(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    m.r.dr = [0; 4];
    Ok(())
}

/// Reads the controls as they are by now.
pub(crate) fn read_again(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    let Some(Guest { vmcb_pa, host, host_branches, .. }) = m.guest.take() else { return Ok(()) };
    let image = m.mem.image(vmcb_pa);
    m.guest = Some(m.activate(vmcb_pa, image, host, host_branches));
    Ok(())
}
