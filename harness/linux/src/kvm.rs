//! KVM: its modules, and its device.

use std::ffi::CString;
use std::fs::File;

use kvm_ioctls::Kvm;
use rustix::mount::MountFlags;

use crate::{Context, Result};

/// The modules, in the order of loading; they are in the root folder.
const MODULES: [&str; 3] = ["irqbypass", "kvm", "kvm-amd"];

/// Loads KVM and opens its device. The kernel's command line may say what its modules
/// are told: `npt=0`, no nested paging; `fep=1`, that a guest may have KVM emulate an
/// instruction.
pub(crate) fn open() -> Result<Kvm> {
    rustix::mount::mount("devtmpfs", "/dev", "devtmpfs", MountFlags::empty(), None)
        .doing("mounting /dev")?;
    let told = |parameter: &str, word: &str| {
        std::env::var(word).map_or_else(|_| String::new(), |value| format!("{parameter}={value}"))
    };
    for name in MODULES {
        let file = File::open(format!("/{name}.ko")).doing(name)?;
        let parameters = match name {
            "kvm" => told("force_emulation_prefix", "fep"),
            "kvm-amd" => told("npt", "npt"),
            _ => String::new(),
        };
        let parameters = CString::new(parameters).doing(name)?;
        rustix::system::finit_module(&file, &parameters, 0).doing(&format!("loading {name}"))?;
    }
    Kvm::new().doing("opening /dev/kvm")
}
