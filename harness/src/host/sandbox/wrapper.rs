//! A program of a stranger's, under a path that confines whoever starts it.
//!
//! Suites start a QEMU by its path. The path that they get is that of a script
//! which starts it in a sandbox, so that no suite, not even a new one, can run
//! it in any other way.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Room, Sandbox, Way};
use crate::host::cache::{io_error, write_atomic};
use crate::host::error::Context;
use crate::host::{process, regular};
use crate::{Error, Kind, Result};

/// The file beside the script that says what it starts, and where.
pub(super) const FILE: &str = "confined.json";

/// What a script starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) program: PathBuf,
    pub(super) way: Way,
    pub(super) room: Room,
}

/// Writes to `folder` a script that starts `program` in `room`, with whatever
/// arguments it is given; what they name is shown, too. The script has the
/// program's name.
///
/// # Errors
/// Harness, when it cannot be written.
pub fn wrap(sandbox: &Sandbox, folder: &Path, program: &Path, room: Room) -> Result<PathBuf> {
    let doing = || format!("wrapping {}", program.display());
    let us = std::env::current_exe().doing(Kind::Harness, doing)?;
    let settings = Settings { program: program.to_owned(), way: sandbox.way, room };
    let text = serde_json::to_vec_pretty(&settings).doing(Kind::Harness, doing)?;
    write_atomic(&folder.join(FILE), &text)?;
    let us = process::quote(us.as_os_str());
    let place = process::quote(folder.as_os_str());
    let script = format!("#!/bin/sh\nexec {us} confine {place} -- \"$@\"\n");
    let path = folder.join(program.file_name().unwrap_or("program".as_ref()));
    write_atomic(&path, script.as_bytes())?;
    let modes = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&path, modes).map_err(|e| io_error("making executable", &path, e))?;
    Ok(path)
}

/// The program that the script at `path` starts; `path` itself where it is none
/// of ours.
pub fn real(path: &Path) -> PathBuf {
    let settings = path.parent().and_then(|folder| read(folder).ok());
    settings.map_or_else(|| path.to_owned(), |s| s.program)
}

pub(super) fn read(folder: &Path) -> Result<Settings> {
    let file = folder.join(FILE);
    let bytes = regular::read(&file)
        .map_err(|e| Error::new(Kind::Usage, format!("reading {}", file.display())).because(e))?;
    serde_json::from_slice(&bytes).doing(Kind::Usage, || format!("reading {}", file.display()))
}
