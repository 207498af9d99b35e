//! The file that QEMU has for RAM.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::host::error::Context;
use crate::{Error, Kind, Result};

/// RAM that QEMU maps, and that the harness reads and writes as a file.
///
/// The file has no name: QEMU opens it through our descriptor, and whatever
/// kills us or QEMU, nothing is left of it.
#[derive(Debug)]
pub struct Ram {
    file: File,
    size: u64,
}

/// Where such a file is best kept: in memory, else with other temporary files.
pub fn folders() -> Vec<PathBuf> {
    let shm = PathBuf::from("/dev/shm");
    [shm, std::env::temp_dir()].into_iter().filter(|d| d.is_dir()).collect()
}

impl Ram {
    /// Zeroed RAM of `size` bytes in the first folder that has the space, which
    /// is taken at once: QEMU would die of a lack of it later.
    ///
    /// # Errors
    /// Harness, when none has it.
    pub fn new(size: u64, folders: &[PathBuf]) -> Result<Ram> {
        let mut last = Error::new(Kind::Harness, "there is no folder for temporary files");
        for folder in folders {
            match Self::in_folder(size, folder) {
                Ok(ram) => return Ok(ram),
                Err(e) => {
                    let what = format!(
                        "making {} MiB of RAM for the guest in {}",
                        size >> 20,
                        folder.display()
                    );
                    last = Error::new(Kind::Harness, what).because(e);
                }
            }
        }
        Err(last.hint("free some space there, or set TMPDIR to a folder that has it"))
    }

    fn in_folder(size: u64, folder: &Path) -> io::Result<Ram> {
        let file = tempfile::tempfile_in(folder)?;
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, size)?;
        Ok(Ram { file, size })
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// A path that opens the file as long as this process has it open.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// Writes at a physical address.
    ///
    /// # Errors
    /// Harness, on I/O failures.
    pub fn write(&self, pa: u64, bytes: &[u8]) -> Result<()> {
        self.file.write_all_at(bytes, pa).doing(Kind::Harness, || at("writing", pa))
    }

    /// Reads at a physical address.
    ///
    /// # Errors
    /// Harness, on I/O failures.
    pub fn read(&self, pa: u64, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, pa).doing(Kind::Harness, || at("reading", pa))?;
        Ok(bytes)
    }

    /// Reads 4 bytes at a physical address.
    ///
    /// # Errors
    /// Harness, on I/O failures.
    pub fn u32(&self, pa: u64) -> Result<u32> {
        let mut bytes = [0; 4];
        self.file.read_exact_at(&mut bytes, pa).doing(Kind::Harness, || at("reading", pa))?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Reads 8 bytes at a physical address.
    ///
    /// # Errors
    /// Harness, on I/O failures.
    pub fn u64(&self, pa: u64) -> Result<u64> {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, pa).doing(Kind::Harness, || at("reading", pa))?;
        Ok(u64::from_le_bytes(bytes))
    }
}

fn at(doing: &str, pa: u64) -> String {
    format!("{doing} the guest's memory at {pa:#x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_has_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let ram = Ram::new(1 << 20, &[dir.path().to_owned()]).unwrap();
        ram.write(0x1000, &7u64.to_le_bytes()).unwrap();
        assert_eq!((ram.u64(0x1000).unwrap(), ram.u32(0x2000).unwrap()), (7, 0));
        assert_eq!(std::fs::read(ram.path()).unwrap().len(), 1 << 20);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn no_space_is_an_error_before_anything_starts() {
        let e = Ram::new(1 << 55, &folders()).unwrap_err();
        assert_eq!(e.kind(), Kind::Harness);
        assert!(e.to_string().contains("free some space"), "{e}");
    }
}
