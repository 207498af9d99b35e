//! Regular files only: what a stranger names may be a pipe that nobody writes
//! to, a device, or a link to somewhere else.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Bytes of the largest file that is read whole.
pub const MOST: u64 = 1 << 30;

/// Opens a regular file to read; links are followed. A pipe does not block.
///
/// # Errors
/// What opening gives; `InvalidInput`, when it is something else.
pub fn open(path: &Path) -> io::Result<File> {
    opened(path, rustix::fs::OFlags::NONBLOCK)
}

/// Opens a regular file to read, and no link to one.
///
/// # Errors
/// What opening gives; `InvalidInput`, when it is something else.
pub fn open_itself(path: &Path) -> io::Result<File> {
    opened(path, rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW)
}

/// The bytes of a regular file of at most [`MOST`] bytes.
///
/// # Errors
/// As [`open`]; `FileTooLarge`.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_at_most(path, MOST)
}

/// The bytes of a regular file of at most `most` bytes.
///
/// # Errors
/// As [`open`]; `FileTooLarge`.
pub fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let what = format!("it is larger than {} MiB, which is too much", most >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// [`read`] as text.
///
/// # Errors
/// As [`read`]; `InvalidData`, when it is no UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

/// [`read`] as text; what is no UTF-8 is replaced.
///
/// # Errors
/// As [`read`].
pub fn read_text(path: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&read(path)?).into_owned())
}

fn opened(path: &Path, flags: rustix::fs::OFlags) -> io::Result<File> {
    let flags = flags.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_a_folder_and_a_device_are_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        for path in [pipe.as_path(), dir.path(), Path::new("/dev/zero")] {
            assert_eq!(open(path).unwrap_err().to_string(), "it is no regular file");
        }
        let file = dir.path().join("file");
        std::fs::write(&file, "text").unwrap();
        assert_eq!(read_text(&file).unwrap(), "text");
        assert!(read_at_most(&file, 3).unwrap_err().to_string().contains("too much"));
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(open(&link).is_ok() && open_itself(&link).is_err());
    }
}
