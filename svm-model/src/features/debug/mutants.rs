//! What a model does that breaks one of the rules by which something is left alone.

use crate::arch::dr;
use crate::machine::{Flow, Machine, Scene};

/// Marks a single step.
pub(crate) fn icebp_steps(m: &mut Machine<'_>, _: Scene<'_>) -> Flow {
    m.r.dr6 |= dr::DR6_BS;
    Ok(())
}
