//! An initramfs: our program, and files that it finds in the root folder.

use std::io::Write;
use std::path::Path;

use cpio::newc::{self, Builder, ModeFileType};

use crate::host::error::Context;
use crate::{Kind, Result};

/// A file in it: its name, and what it holds.
pub type Entry<'a> = (&'a str, &'a [u8]);

/// The archive with `init` as the first process and `files` in the root folder.
/// The same input gives the same bytes.
///
/// # Errors
/// Harness, when a file is too large for the format.
pub fn archive(init: &[u8], files: &[Entry<'_>]) -> Result<Vec<u8>> {
    let doing = || "making an initramfs".into();
    let mut out = Vec::new();
    let first: Entry<'_> = ("init", init);
    let all = std::iter::once(&first).chain(files);
    for (inode, (name, bytes)) in (1..).zip(all) {
        let size = u32::try_from(bytes.len()).doing(Kind::Harness, doing)?;
        let entry =
            Builder::new(name).ino(inode).mode(0o755).set_mode_file_type(ModeFileType::Regular);
        let mut writer = entry.write(out, size);
        writer.write_all(bytes).doing(Kind::Harness, doing)?;
        out = writer.finish().doing(Kind::Harness, doing)?;
    }
    newc::trailer(out).doing(Kind::Harness, doing)
}

/// The last part of a path: what a file is called in the root folder.
pub fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_there_init_first_and_executable() {
        let archive = archive(b"program", &[("kvm.ko", b"module"), ("empty", b"")]).unwrap();
        let mut seen = Vec::new();
        let mut rest: &[u8] = &archive;
        loop {
            let mut reader = newc::Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut reader, &mut bytes).unwrap();
            seen.push((reader.entry().name().to_owned(), reader.entry().mode(), bytes));
            rest = reader.finish().unwrap();
        }
        let names: Vec<&str> = seen.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["init", "kvm.ko", "empty"]);
        assert_eq!((seen[0].1, seen[0].2.as_slice()), (0o100_755, &b"program"[..]));
        assert_eq!(seen[1].2, b"module");
    }
}
