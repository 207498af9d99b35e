//! A tarball as its user has it: unpacked in a folder of its own, started with nothing to say
//! where anything is.

use std::path::{Path, PathBuf};

use super::libraries;
use super::tarball;
use super::version::{PROGRAM, Version};
use crate::example;
use crate::host::error::Context;
use crate::qemu::{Qemu, Side};
use crate::{Env, Error, Kind, Result};

/// Unpacks it and runs the example of a hypervisor in it.
///
/// # Errors
/// Regression, when the example's guest does not come through, or a library is found elsewhere;
/// Harness.
pub(super) fn run(env: &Env, tarball: &Path, version: &Version) -> Result<()> {
    let elsewhere = tempfile::tempdir().doing(Kind::Harness, || "making a folder".into())?;
    let root = tarball::unpack(tarball, &version.folder(), elsewhere.path())?;
    let program = root.join("bin").join(PROGRAM);
    let libraries = libraries::of(&program)?;
    if let Some((name, path)) = libraries.iter().find(|(_, path)| !beside(path, &root)) {
        let what = format!("unpacked, {PROGRAM} takes {name} from {}", path.display());
        return Err(Error::new(Kind::Regression, what));
    }
    // It is to find its firmware itself.
    let mut qemu = Qemu::inspect(Side::Patched, &program)?;
    qemu.firmware = Vec::new();
    let ran = example::run(env, &qemu)?;
    if !ran.good {
        let what = "the example's guest does not come through in what was packed";
        return Err(Error::new(Kind::Regression, what).hint(ran.lines.join("\n  ")));
    }
    Ok(())
}

/// Whether a library is in the folder that was unpacked, however its path is written.
fn beside(library: &Path, root: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| PathBuf::from(path));
    real(library).starts_with(real(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_beside_the_program_however_its_path_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        for part in ["bin", "lib"] {
            std::fs::create_dir_all(root.join(part)).unwrap();
        }
        for file in ["root/lib/x.so", "x.so"] {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        assert!(beside(&root.join("bin/../lib/x.so"), &root));
        assert!(!beside(Path::new("/lib/x.so"), &root));
        assert!(!beside(&root.join("../x.so"), &root));
    }
}
