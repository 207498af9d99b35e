//! The migration suite: what a case does must not depend on where it runs.
//!
//! A case runs up to its [`Mark`](travel::Mark), which is most often in the
//! middle of L2. There the machine stops, all of its state goes to a file, and
//! another QEMU goes on from that file, with RAM of its own. The outcome must be
//! that of the same case without the journey; and what the model says, where the
//! journey is from stock QEMU to another.
//!
//! [`cases`] has the cases, [`travel`] takes one of them along, through
//! [`gdb`], which stops the machine, and [`crate::qemu::qmp`], which saves it.

pub mod cases;
pub mod gdb;
mod journey;
pub mod machine_check;
pub mod suite;
pub mod travel;
