//! What QEMU loads into a guest: packages of the distribution, and the boot ROMs and keyboards
//! of its own source.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use xshell::cmd;

use crate::host::cache::io_error;
use crate::host::error::Context;
use crate::host::git::Git;
use crate::host::process;
use crate::host::setup::{self, python};
use crate::linux::kernel::{self, Package};
use crate::qemu::source::Source;
use crate::qemu::source::pins::File;
use crate::{Env, Error, Kind, Result};

/// What is pinned: `harness/data/package/firmware.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pins {
    #[serde(rename = "package")]
    packages: Vec<Pin>,
}

/// One package.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    directory: String,
    licence: String,
    file: File,
    /// The name that each gets.
    files: BTreeMap<String, String>,
}

impl Pins {
    fn builtin() -> Result<Self> {
        toml::from_str(include_str!("../../data/package/firmware.toml"))
            .doing(Kind::Harness, || "reading harness/data/package/firmware.toml".into())
    }
}

/// Puts the distribution's firmware into the folder `data`, and on what terms it is given into
/// `licences`. Returns the packages' files, as their mirror calls them.
///
/// # Errors
/// Setup, when a package cannot be had or does not hold what it should; Harness.
pub(super) fn fetched(env: &Env, data: &Path, licences: &Path) -> Result<Vec<String>> {
    let scratch = tempfile::tempdir().doing(Kind::Harness, || "making a folder".into())?;
    let mut names = Vec::new();
    for pin in Pins::builtin()?.packages {
        let mut members: Vec<String> = pin.files.keys().cloned().collect();
        members.push(pin.licence.clone());
        let package = Package { directory: pin.directory.clone(), file: pin.file.clone() };
        kernel::unpack(env, &package, &members, scratch.path())?;
        for (from, to) in &pin.files {
            copy(&scratch.path().join(from), &data.join(to))?;
        }
        let package = pin.file.name.split('_').next().unwrap_or_default();
        copy(&scratch.path().join(&pin.licence), &licences.join(package))?;
        names.push(pin.file.name);
    }
    Ok(names)
}

/// Builds QEMU's own boot ROMs of `commit` into the folder `data`, and copies its keyboards there;
/// its licences go into `licences`. Returns the text that says which is for what.
///
/// # Errors
/// Build, when they do not compile; Harness.
pub(super) fn built(source: &Source, commit: &str, data: &Path, licences: &Path) -> Result<String> {
    let scratch = tempfile::tempdir().doing(Kind::Harness, || "making a folder".into())?;
    let (src, out) = (scratch.path().join("src"), scratch.path().join("out"));
    for dir in [&src, &out] {
        fs::create_dir(dir).map_err(|e| io_error("creating", dir, e))?;
    }
    export(source, commit, &src)?;
    roms(&src, &out)?;
    for entry in fs::read_dir(&out).map_err(|e| io_error("reading", &out, e))?.flatten() {
        if entry.path().extension().is_some_and(|end| end == "bin") {
            copy(&entry.path(), &data.join(entry.file_name()))?;
        }
    }
    let (keymaps, to) = (src.join("pc-bios/keymaps"), data.join("keymaps"));
    fs::create_dir_all(&to).map_err(|e| io_error("creating", &to, e))?;
    for entry in fs::read_dir(&keymaps).map_err(|e| io_error("reading", &keymaps, e))?.flatten() {
        if entry.file_name() != "meson.build" {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    for name in ["COPYING", "COPYING.LIB"] {
        copy(&src.join(name), &licences.join(format!("qemu.{name}")))?;
    }
    let licence = src.join("LICENSE");
    fs::read_to_string(&licence).map_err(|e| io_error("reading", &licence, e))
}

/// What of the commit is needed for that.
fn export(source: &Source, commit: &str, into: &Path) -> Result<()> {
    let archive = into.join("source.tar");
    let git = Git::new(&source.git);
    let mut c = git.command(["archive", "--format=tar", "-o"]);
    c.arg(&archive).args([commit, "pc-bios/optionrom", "pc-bios/keymaps", "include"]);
    c.args(["scripts/signrom.py", "COPYING", "COPYING.LIB", "LICENSE"]);
    process::stdout(Kind::Harness, &mut c)?;
    let sh = process::shell()?;
    let tar = cmd!(sh, "tar -xf {archive} -C {into}");
    process::stdout(Kind::Harness, &mut tar.into()).map(drop)
}

/// They are bare code: no library of 32 bits is needed, for which configure would ask.
fn roms(src: &Path, out: &Path) -> Result<()> {
    let no_python = || Error::new(Kind::Setup, "no Python was found");
    let (python, cc) = (python::usable().ok_or_else(no_python)?, setup::compiler()?.command);
    let config = out.join("config.mak");
    fs::write(&config, "").map_err(|e| io_error("writing", &config, e))?;
    let (sh, makefile) = (process::shell()?, src.join("pc-bios/optionrom/Makefile"));
    let variables = [
        format!("TOPSRC_DIR={}", src.display()),
        format!("CC={cc}"),
        "OBJCOPY=objcopy".to_owned(),
        format!("PYTHON={}", python.display()),
    ];
    let mut make: Command = cmd!(sh, "make -s -f {makefile} {variables...}").into();
    make.current_dir(out).env("LC_ALL", "C.UTF-8").env_remove("MAKEFLAGS").env_remove("CFLAGS");
    process::stdout(Kind::Build, &mut make).map(drop)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).map_err(|e| io_error("copying", from, e))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_pins_are_well_formed_and_give_each_name_once() {
        let pins = Pins::builtin().unwrap();
        let mut names = BTreeSet::new();
        for pin in &pins.packages {
            assert_eq!((pin.file.sha256.len(), pin.file.sha1.len()), (64, 40), "{}", pin.file.name);
            assert!(pin.directory.starts_with("pool/main/") && pin.file.name.ends_with("_all.deb"));
            assert!(pin.licence.ends_with("/copyright"), "{}", pin.licence);
            for (from, to) in &pin.files {
                assert!(!from.starts_with('/') && !to.contains('/'), "{from} {to}");
                assert!(names.insert(to.clone()), "{to} twice");
            }
        }
        // The machines pc, q35 and microvm, -device VGA and virtio-net-pci, and UEFI.
        for name in [
            "bios-256k.bin",
            "bios-microvm.bin",
            "qboot.rom",
            "vgabios-stdvga.bin",
            "efi-virtio.rom",
            "efi-e1000.rom",
            "edk2-x86_64-code.fd",
            "edk2-i386-vars.fd",
        ] {
            assert!(names.contains(name), "{name}");
        }
    }
}
