//! What GMET makes of the nested user bit (15.25.13).

use crate::features::npt::model::{NestedAccess, Walked};
use crate::rules::{Trace, gmet};

/// With GMET the user bit forbids supervisors to fetch, and nothing else.
pub(crate) fn gmet_refuses(t: &mut Trace, access: NestedAccess, walked: &Walked) -> bool {
    if !access.exec {
        t.said(gmet::DATA, false) && !walked.user
    } else if access.guest_user {
        t.said(gmet::USER_FETCH, false) && !walked.user
    } else {
        t.rule(gmet::SUPERVISOR_FETCH, walked.user)
    }
}
