//! The flags that name a QEMU source, shared by every subcommand that needs one.

use std::path::PathBuf;

use harness::qemu::source::Request;

use crate::given;

/// Which QEMU source.
#[derive(clap::Args, Clone)]
pub(crate) struct BaseArgs {
    /// A pinned QEMU version: 10.2.2 (the default), 10.0.13 or 7.2
    #[arg(long, value_name = "VERSION", value_parser = given::base, conflicts_with = "qemu_src")]
    pub(crate) base: Option<String>,
    /// Your own QEMU checkout or unpacked release; it is read, never written
    #[arg(long, value_name = "DIR")]
    pub(crate) qemu_src: Option<PathBuf>,
}

impl BaseArgs {
    pub(crate) fn request(&self) -> Request {
        Request { base: self.base.clone(), dir: self.qemu_src.clone() }
    }
}
