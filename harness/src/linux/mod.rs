//! Linux guests for measuring: a distribution's kernel, an initramfs of ours.
//!
//! ```text
//! kernel     the pinned package: fetched, verified, unpacked; its KVM modules
//! initramfs  our program (`harness/linux`), and what it loads, as a cpio archive
//! machine    one QEMU with both, watched until our program says its word
//! said       the words of our program among the lines of the console
//! ```

pub mod initramfs;
pub mod kernel;
pub mod machine;
pub mod said;

use crate::exec::guest;
use crate::host::setup::{self, Need};
use crate::{Env, Result};

/// The sources of our program, in the checkout.
pub const FOLDER: &str = "harness/linux";

/// The kernel and our program, ready to be booted.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The kernel.
    pub kernel: kernel::Kernel,
    /// Our program: the first process of every guest.
    pub program: Vec<u8>,
}

impl Parts {
    /// Fetches the one and compiles the other; nothing happens if that is done.
    ///
    /// # Errors
    /// Setup, when the package cannot be had or a tool is missing; Build, when the
    /// program does not compile; Harness on I/O failures.
    pub fn obtain(env: &Env) -> Result<Self> {
        Self::with(env, &kernel::Pin::builtin()?)
    }

    /// [`Parts::obtain`] with another kernel.
    ///
    /// # Errors
    /// As there.
    pub fn with(env: &Env, pin: &kernel::Pin) -> Result<Self> {
        setup::require(env, &[Need::Linux, Need::Run])?;
        let kernel = kernel::obtain_pinned(env, pin)?;
        let program = guest::compile(&env.repo, FOLDER, "svm-linux")?;
        Ok(Parts { kernel, program: kernel::read(&program)? })
    }
}
