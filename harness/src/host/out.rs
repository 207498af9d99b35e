//! Standard output, for what a command has to say.
//!
//! Whoever reads it may have read enough, which is no failure. What cannot be
//! written for another reason, such as a full disk, makes the command fail in the
//! end: half a report must not pass for a whole one.

use std::fmt::Display;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Mutex;

use crate::{Error, Kind};

static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Writes `text` as it is; [`failure`] tells whether it came through.
pub fn write(text: &str) {
    bytes(text.as_bytes());
}

/// A path as it is, UTF-8 or not, with the end of the line.
pub fn path(path: &Path) {
    bytes(&[path.as_os_str().as_bytes(), b"\n"].concat());
}

fn bytes(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    if let Err(e) = out.write_all(bytes).and_then(|()| out.flush()) {
        FAILED.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert(e);
    }
}

/// [`write`] with the end of the line.
pub fn line(text: impl Display) {
    write(&format!("{text}\n"));
}

/// Why standard output is not whole, if it is not and somebody wanted it to be.
pub fn failure() -> Option<Error> {
    let e = FAILED.lock().unwrap_or_else(|e| e.into_inner()).take()?;
    match e.kind() {
        io::ErrorKind::BrokenPipe => None,
        _ => Some(Error::new(Kind::Harness, "writing to standard output").because(e)),
    }
}
