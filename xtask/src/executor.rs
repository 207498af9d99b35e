//! The flags that say how a named executor is built and run, shared by every
//! subcommand that takes one. Its name is parsed by [`Name`] alone.

use std::path::PathBuf;

use harness::exec::name::Name;
use harness::exec::place::{self, How, Place};
use harness::{Env, Error, Kind, Result};

use crate::base::BaseArgs;

/// How executors are built and run.
#[derive(clap::Args, Clone)]
pub(crate) struct ExecutorArgs {
    /// QEMU's accelerator: tcg, or kvm on an AMD host with nested virtualisation
    #[arg(long, value_name = "ACCEL", default_value = "tcg", value_parser = ["tcg", "kvm"])]
    accel: String,
    #[command(flatten)]
    base: BaseArgs,
}

impl ExecutorArgs {
    /// Refuses names of what is not there, before any is fetched or built.
    ///
    /// # Errors
    /// As [`place::check`].
    pub(crate) fn check(&self, env: &Env, names: &[Name]) -> Result<()> {
        names.iter().try_for_each(|name| place::check(env, name, &self.how()))
    }

    /// Opens an executor.
    pub(crate) fn open(&self, env: &Env, name: &Name) -> Result<Place> {
        place::open(env, name, &self.how())
    }

    /// The same, for what opens several.
    pub(crate) fn how(&self) -> How {
        How { source: self.base.request(), accel: self.accel.clone() }
    }
}

/// Flags that once chose the build apart from the executor.
#[derive(clap::Args, Clone)]
pub(crate) struct Former {
    #[arg(long, hide = true)]
    stock: bool,
    #[arg(long, hide = true)]
    patched: bool,
    #[arg(long, hide = true, value_name = "PATH")]
    qemu: Option<PathBuf>,
}

impl Former {
    /// Says what each is called now.
    pub(crate) fn refuse(&self) -> Result<()> {
        let (flag, now) = match self {
            Former { qemu: Some(path), .. } => ("--qemu", format!("qemu:{}", path.display())),
            Former { stock: true, .. } => ("--stock", "qemu:stock, or c:stock".to_owned()),
            Former { patched: true, .. } => ("--patched", "qemu:patched, or c:patched".to_owned()),
            _ => return Ok(()),
        };
        let what = format!("{flag} is part of an executor's name now");
        Err(Error::new(Kind::Usage, what).hint(format!("--on {now}")))
    }
}
