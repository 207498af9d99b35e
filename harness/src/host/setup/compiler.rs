//! The C compiler of this machine.

use std::process::Command;

use crate::host::process;
use crate::{Kind, Result};

/// The C compiler: `$CC`, or `cc`.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// What configure is given as `--cc`.
    pub command: String,
    /// Its own first line.
    pub version: String,
}

/// The compiler that QEMU would be built with.
///
/// # Errors
/// Setup, when it cannot be run.
pub fn compiler() -> Result<Compiler> {
    let command = std::env::var("CC").ok().filter(|c| !c.is_empty()).unwrap_or("cc".into());
    let mut words = command.split_whitespace();
    let mut c = Command::new(words.next().unwrap_or("cc"));
    let text = process::stdout(Kind::Setup, c.args(words).arg("--version"))?;
    let version = text.lines().next().unwrap_or_default().to_string();
    Ok(Compiler { command, version })
}
