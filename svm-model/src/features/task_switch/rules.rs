//! Task switches (15.14.1).

use crate::rules::table::rules;

rules! { Intercepts;
    TASK_SWITCH = "intercept.task-switch", "15.14.1", one, "A task switch with its intercept set exits with 0x7d.";
    TASK_SWITCH_INFO = "intercept.task-switch-info", "15.14.1", one, "EXITINFO1 has the selector of the new task-state segment; EXITINFO2 tells IRET, far jump and error code apart and has RFLAGS.RF.",
        broken = Is(0);
}
