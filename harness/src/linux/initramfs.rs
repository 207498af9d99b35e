//! An initramfs: our program, and files that it finds there.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use cpio::newc::{self, Builder, ModeFileType};

use crate::host::error::Context;
use crate::{Kind, Result};

/// A file in it: its name below the root folder, and what it holds.
pub type Entry<'a> = (&'a str, &'a [u8]);

/// The archive with `init` as the first process and `files`, in their folders.
/// The same input gives the same bytes.
///
/// # Errors
/// Harness, when a file is too large for the format.
pub fn archive(init: &[u8], files: &[Entry<'_>]) -> Result<Vec<u8>> {
    let first: Entry<'_> = ("init", init);
    let all = std::iter::once(&first).chain(files);
    let folders: BTreeSet<&Path> = all
        .clone()
        .flat_map(|(name, _)| Path::new(name).ancestors().skip(1))
        .filter(|folder| !folder.as_os_str().is_empty())
        .collect();
    // A folder comes before what is in it.
    let folders = folders.iter().map(|f| (f.to_string_lossy(), &[][..], ModeFileType::Directory));
    let files = all.map(|&(name, bytes)| (name.into(), bytes, ModeFileType::Regular));
    let mut out = Vec::new();
    for (inode, (name, bytes, sort)) in (1..).zip(folders.chain(files)) {
        let doing = || format!("putting {name} into an initramfs");
        let size = u32::try_from(bytes.len()).doing(Kind::Harness, doing)?;
        let entry = Builder::new(&name).ino(inode).mode(0o755).set_mode_file_type(sort);
        let mut writer = entry.write(out, size);
        writer.write_all(bytes).doing(Kind::Harness, doing)?;
        out = writer.finish().doing(Kind::Harness, doing)?;
    }
    newc::trailer(out).doing(Kind::Harness, || "ending an initramfs".into())
}

/// The last part of a path: what a file is called in the root folder.
pub fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, mode and contents of everything in it.
    fn read(archive: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut seen = Vec::new();
        let mut rest = archive;
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
        seen
    }

    #[test]
    fn folders_come_before_what_is_in_them() {
        let seen = read(&archive(b"program", &[("a/b/c", b"1"), ("a/d", b"2")]).unwrap());
        let names: Vec<_> = seen.iter().map(|(name, mode, _)| (name.as_str(), *mode)).collect();
        let (folder, file) = (0o040_755, 0o100_755);
        let expected =
            [("a", folder), ("a/b", folder), ("init", file), ("a/b/c", file), ("a/d", file)];
        assert_eq!(names, expected);
    }

    #[test]
    fn what_was_put_in_is_there_init_first_and_executable() {
        let archive = archive(b"program", &[("kvm.ko", b"module"), ("empty", b"")]).unwrap();
        let seen = read(&archive);
        let names: Vec<&str> = seen.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["init", "kvm.ko", "empty"]);
        assert_eq!((seen[0].1, seen[0].2.as_slice()), (0o100_755, &b"program"[..]));
        assert_eq!(seen[1].2, b"module");
    }
}
