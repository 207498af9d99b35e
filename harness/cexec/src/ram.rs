//! The RAM file, mapped.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use rustix::mm::{MapFlags, ProtFlags, mmap};

/// All of the machine's RAM. Mapped for as long as the process lives.
#[derive(Clone, Copy)]
pub(crate) struct Ram {
    base: *mut u8,
    size: u64,
}

impl Ram {
    /// Maps the file.
    pub(crate) fn open(path: &Path) -> io::Result<Ram> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let size = file.metadata()?.len();
        let (prot, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: a fresh mapping, of which this process alone makes references.
        let base =
            unsafe { mmap(std::ptr::null_mut(), size as usize, prot, flags, file, 0) }?.cast();
        Ok(Ram { base, size })
    }

    /// Its first byte.
    pub(crate) fn base(self) -> *mut u8 {
        self.base
    }

    /// Its size in bytes.
    pub(crate) fn size(self) -> u64 {
        self.size
    }

    /// The host address of `len` bytes at `pa`.
    fn at(self, pa: u64, len: usize) -> Option<*mut u8> {
        let end = pa.checked_add(len as u64)?;
        // SAFETY: the sum lies in the mapping, which has been checked.
        (end <= self.size).then(|| unsafe { self.base.add(pa as usize) })
    }

    /// Copies bytes out. `None` outside RAM.
    pub(crate) fn read<const N: usize>(self, pa: u64) -> Option<[u8; N]> {
        let from = self.at(pa, N)?;
        // SAFETY: N bytes from there are mapped.
        Some(unsafe { from.cast::<[u8; N]>().read_unaligned() })
    }

    /// Copies bytes in. `None` outside RAM.
    pub(crate) fn write(self, pa: u64, bytes: &[u8]) -> Option<()> {
        let to = self.at(pa, bytes.len())?;
        // SAFETY: so many bytes from there are mapped, and `bytes` is not of them.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        Some(())
    }

    /// A copy of a run of bytes. `None` outside RAM.
    pub(crate) fn copy(self, pa: u64, len: usize) -> Option<Vec<u8>> {
        let from = self.at(pa, len)?;
        // SAFETY: so many bytes from there are mapped; the slice dies here.
        Some(unsafe { std::slice::from_raw_parts(from, len) }.to_vec())
    }

    /// Copies bytes from one place to another that does not overlap it.
    pub(crate) fn transfer(self, from: u64, to: u64, len: usize) -> Option<()> {
        let (from, to) = (self.at(from, len)?, self.at(to, len)?);
        // SAFETY: both are mapped; the output area is no part of the world.
        unsafe { std::ptr::copy(from, to, len) };
        Some(())
    }

    /// A number of 4 bytes.
    pub(crate) fn u32(self, pa: u64) -> Option<u32> {
        self.read(pa).map(u32::from_le_bytes)
    }

    /// A number of 8 bytes.
    pub(crate) fn u64(self, pa: u64) -> Option<u64> {
        self.read(pa).map(u64::from_le_bytes)
    }
}
