//! The tarball: the tree with its libraries, to be unpacked anywhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use xshell::cmd;

use super::libraries;
use super::text::{self, Libraries};
use super::tree::{self, Tree};
use crate::host::cache::io_error;
use crate::host::error::Context;
use crate::host::process;
use crate::{Kind, Result};

/// Writes it into the folder `out`, and returns its path.
///
/// # Errors
/// Setup, when a library is not there, or no package has it; Harness.
pub(super) fn write(tree: &Tree, out: &Path) -> Result<PathBuf> {
    let scratch = tempfile::tempdir().doing(Kind::Harness, || "making a folder".into())?;
    let version = &tree.facts.version;
    let root = scratch.path().join(version.folder());
    tree.copy("", &root)?;
    let lib = root.join("lib");
    fs::create_dir(&lib).map_err(|e| io_error("creating", &lib, e))?;
    let found = libraries::of(&tree.program())?;
    let mut files = vec![tree.program()];
    let mut licences = BTreeMap::new();
    for (name, path) in &found {
        let to = lib.join(name);
        // What the name leads to, under the name that it is asked for by.
        fs::copy(path, &to).map_err(|e| io_error("copying", path, e))?;
        files.push(to);
        let (package, text) = libraries::licence(path)?;
        licences.insert(package, text);
    }
    for (package, text) in &licences {
        let to = root.join("doc/licences").join(package);
        fs::copy(text, &to).map_err(|e| io_error("copying", text, e))?;
    }
    let about = Libraries {
        packages: licences.into_keys().collect(),
        c_library: libraries::c_library(files.iter().map(PathBuf::as_path))?,
    };
    let readme = text::readme(&tree.facts, Some(&about))?;
    tree::write(&root.join("README.md"), readme.as_bytes())?;
    tree::write(&root.join("doc/LICENSE"), tree.facts.licence.as_bytes())?;
    let manual = root.join("share/man/man1");
    fs::create_dir_all(&manual).map_err(|e| io_error("creating", &manual, e))?;
    let page = manual.join(format!("{}.1", super::version::PROGRAM));
    tree::write(&page, tree.manual()?.as_bytes())?;
    tree::open_up(&root)?;
    pack(scratch.path(), &version.folder(), version.seconds, &out.join(version.tarball()))
}

/// The same files make the same tarball: sorted, of nobody, and of one time.
fn pack(above: &Path, folder: &str, seconds: i64, to: &Path) -> Result<PathBuf> {
    let fresh = to.with_extension("zst.new");
    let (sh, zstd, time) = (process::shell()?, "zstd -q -19 -T0", format!("--mtime=@{seconds}"));
    let alike = ["--sort=name", &time, "--owner=0", "--group=0", "--numeric-owner"];
    let tar = cmd!(sh, "tar {alike...} -I {zstd} -cf {fresh} -C {above} {folder}");
    let packed = process::stdout(Kind::Harness, &mut tar.into());
    if packed.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    packed?;
    fs::rename(&fresh, to).map_err(|e| io_error("writing", to, e))?;
    Ok(to.to_owned())
}

/// Unpacks it into `into`, and returns the folder.
///
/// # Errors
/// Harness.
pub(super) fn unpack(tarball: &Path, folder: &str, into: &Path) -> Result<PathBuf> {
    let (sh, zstd) = (process::shell()?, "zstd -q");
    let tar = cmd!(sh, "tar -I {zstd} -xf {tarball} -C {into}");
    process::stdout(Kind::Harness, &mut tar.into())?;
    Ok(into.join(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qemu::digest;

    #[test]
    fn what_is_packed_twice_is_the_same_whoever_packs_it_and_comes_out_whole() {
        let dir = tempfile::tempdir().unwrap();
        let mut digests = Vec::new();
        for name in ["one", "two"] {
            let above = dir.path().join(name);
            fs::create_dir_all(above.join("x/bin")).unwrap();
            for file in ["b", "a"] {
                fs::write(above.join("x/bin").join(file), file).unwrap();
            }
            tree::open_up(&above).unwrap();
            let to = dir.path().join(format!("{name}.tar.zst"));
            digests.push(digest(&pack(&above, "x", 1, &to).unwrap()).unwrap());
            let into = tempfile::tempdir().unwrap();
            let folder = unpack(&to, "x", into.path()).unwrap();
            assert_eq!(fs::read_to_string(folder.join("bin/a")).unwrap(), "a");
        }
        assert_eq!(digests[0], digests[1]);
        let names = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(names, 4, "something is left");
    }

    #[test]
    fn nothing_is_left_of_a_tarball_that_cannot_be_made() {
        let dir = tempfile::tempdir().unwrap();
        assert!(pack(dir.path(), "no", 1, &dir.path().join("x.tar.zst")).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
