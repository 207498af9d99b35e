//! KVM: its modules, and its device.

use std::fs::File;

use kvm_ioctls::Kvm;
use rustix::mount::MountFlags;

use crate::{Context, Result};

/// The modules, in the order of loading; they are in the root folder.
const MODULES: [&str; 3] = ["irqbypass", "kvm", "kvm-amd"];

/// Loads KVM and opens its device.
pub(crate) fn open() -> Result<Kvm> {
    rustix::mount::mount("devtmpfs", "/dev", "devtmpfs", MountFlags::empty(), None)
        .doing("mounting /dev")?;
    for name in MODULES {
        let file = File::open(format!("/{name}.ko")).doing(name)?;
        rustix::system::finit_module(&file, c"", 0).doing(&format!("loading {name}"))?;
    }
    Kvm::new().doing("opening /dev/kvm")
}
