//! What a model does that breaks one of the rules by which something is left alone.

use crate::arch::exit;
use crate::machine::{Flow, Machine, Scene};
use crate::rules::intercepts;

/// Writes CR2.
pub(crate) fn cr2_written(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    m.r.cr2 = !0;
    Ok(())
}

/// Exits behind the write.
pub(crate) fn efer_traps(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    m.exit_control(exit::EFER_WRITE_TRAP, None)
}

/// Exits behind the write.
pub(crate) fn cr_traps(m: &mut Machine<'_>, scene: Scene<'_>) -> Flow {
    let Scene::Register(n) = scene else { return Ok(()) };
    m.exit_control(exit::CR_WRITE_TRAP + u64::from(n), None)
}

/// Takes CLTS for a write of every bit.
pub(crate) fn clts_selected(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    let info = m.cr_other_info();
    m.intercept_selective(intercepts::CR0_SEL, !0, info)
}
