//! The distribution's packages: what they are, and what of them is on disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::{Dyn, FileHeader};
use object::{LittleEndian, read};
use serde::Deserialize;
use xshell::cmd;

use crate::host::cache::io_error;
use crate::host::error::Context;
use crate::host::{hash, process};
use crate::linux::kernel::{self, Kernel, Package};
use crate::qemu::source::archive;
use crate::qemu::source::pins::Pins;
use crate::{Env, Error, Kind, Result};

/// Where the distribution has its libraries.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// Which packages: `harness/data/xen.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pin {
    /// The hypervisor, compressed.
    pub(super) hypervisor: String,
    /// The folder of Xen's programs.
    pub(super) tools: String,
    /// The programs that the first domain runs.
    pub(super) programs: Vec<String>,
    /// What else it has.
    pub(super) files: Vec<String>,
    /// Its kernel.
    pub(super) kernel: kernel::Pin,
    /// All of them.
    #[serde(rename = "package")]
    pub(super) packages: Vec<Package>,
}

impl Pin {
    /// The one this crate was built with.
    ///
    /// # Errors
    /// Harness, when the file is malformed (a test reads it too).
    pub(super) fn builtin() -> Result<Self> {
        toml::from_str(include_str!("../../../data/xen.toml"))
            .doing(Kind::Harness, || "reading harness/data/xen.toml".into())
    }

    /// Of all that is pinned.
    pub(super) fn digest(&self) -> String {
        let packages = self.packages.iter().map(|p| p.file.sha256.as_str());
        hash::of_parts(packages.chain([self.kernel.file.sha256.as_str()]))
    }
}

/// The packages on disk, unpacked.
#[derive(Clone, Debug)]
pub(super) struct Packages {
    /// What they are.
    pub(super) pin: Pin,
    /// The first domain's kernel.
    pub(super) kernel: Kernel,
    root: PathBuf,
}

/// The pinned packages: from the cache, or fetched and unpacked into it.
///
/// # Errors
/// Setup, when one cannot be had or does not hold what it should; Harness, when the
/// cache cannot be written.
pub(super) fn obtain(env: &Env) -> Result<Packages> {
    let pin = Pin::builtin()?;
    let kernel = kernel::obtain_pinned(env, &pin.kernel)?;
    // The hash names it, so that what was unpacked is what is pinned.
    let root = env.cache.path(format!("xen/{}", &pin.digest()[..12]));
    let packages = Packages { pin, kernel, root };
    if packages.root.is_dir() {
        return Ok(packages);
    }
    let _lock = env.cache.lock("xen", &env.console)?;
    if packages.root.is_dir() {
        return Ok(packages);
    }
    let debian = Pins::builtin()?.debian;
    let fresh = env.cache.dir("xen")?.join(".new");
    kernel::empty(&fresh)?;
    for Package { directory, file } in &packages.pin.packages {
        let package = archive::single(env, &debian, directory, file, "archives/xen")?;
        unpack(&package, &fresh)?;
    }
    fs::rename(&fresh, &packages.root).map_err(|e| io_error("writing", &packages.root, e))?;
    Ok(packages)
}

/// A package is an ar archive with a tar archive in it.
fn unpack(package: &Path, into: &Path) -> Result<()> {
    let sh = process::shell()?;
    let mut ar: Command = cmd!(sh, "ar x {package} data.tar.xz").into();
    process::stdout(Kind::Setup, ar.current_dir(into))?;
    let data = into.join("data.tar.xz");
    let tar = cmd!(sh, "tar -xJ --no-same-owner -f {data} -C {into}");
    process::stdout(Kind::Setup, &mut tar.into())?;
    fs::remove_file(&data).map_err(|e| io_error("removing", &data, e))
}

impl Packages {
    /// A file of them.
    ///
    /// # Errors
    /// Setup, when no package has it.
    pub(super) fn read(&self, path: &str) -> Result<Vec<u8>> {
        let file = self.root.join(path);
        fs::read(&file).doing(Kind::Setup, || format!("looking for {path} in Xen's packages"))
    }

    /// The hypervisor, as a boot loader takes it.
    ///
    /// # Errors
    /// Setup, when there is none or it cannot be decompressed.
    pub(super) fn hypervisor(&self) -> Result<Vec<u8>> {
        let (sh, file) = (process::shell()?, self.root.join(&self.pin.hypervisor));
        let mut gzip: Command = cmd!(sh, "gzip --decompress --stdout {file}").into();
        let output = process::output(&mut gzip)?;
        if !output.status.success() {
            return Err(process::failed(Kind::Setup, &gzip, &output));
        }
        Ok(output.stdout)
    }

    /// What the first domain has of them: each file's name there, and what it holds.
    ///
    /// # Errors
    /// Setup, when something is in no package.
    pub(super) fn files(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let mut files = Vec::new();
        let mut libraries = BTreeSet::new();
        for name in &self.pin.programs {
            let bytes = self.read(name)?;
            self.follow(&bytes, &mut libraries)?;
            files.push((name.clone(), bytes));
        }
        for name in &self.pin.files {
            files.push((name.clone(), self.read(name)?));
        }
        for name in &libraries {
            let name = format!("{LIBRARIES}/{name}");
            files.push((name.clone(), self.read(&name)?));
        }
        let loader = "ld-linux-x86-64.so.2";
        files.push((format!("lib64/{loader}"), self.read(&format!("{LIBRARIES}/{loader}"))?));
        Ok(files)
    }

    /// Adds the libraries that a program needs, and what those need.
    fn follow(&self, program: &[u8], libraries: &mut BTreeSet<String>) -> Result<()> {
        for name in needed(program)? {
            if libraries.insert(name.clone()) {
                self.follow(&self.read(&format!("{LIBRARIES}/{name}"))?, libraries)?;
            }
        }
        Ok(())
    }
}

/// The libraries that an ELF file names.
fn needed(bytes: &[u8]) -> Result<Vec<String>> {
    let read = || -> read::Result<Vec<String>> {
        let header = FileHeader64::<LittleEndian>::parse(bytes)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, bytes)?;
        let Some((entries, strings)) = sections.dynamic(endian, bytes)? else {
            return Ok(Vec::new());
        };
        let strings = sections.strings(endian, bytes, strings)?;
        let named = entries.iter().filter(|entry| entry.tag32(endian) == Some(DT_NEEDED));
        let names = named.map(|entry| entry.string(endian, strings));
        names.map(|name| Ok(String::from_utf8_lossy(name?).into_owned())).collect()
    };
    read().map_err(|e| Error::new(Kind::Setup, "reading a program of Xen's packages").because(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pins_are_well_formed_and_name_a_kernel_that_can_be_the_first_domain() {
        let pin = Pin::builtin().unwrap();
        for Package { directory, file } in &pin.packages {
            assert_eq!((file.sha256.len(), file.sha1.len()), (64, 40), "{}", file.name);
            assert!(directory.starts_with("pool/main/") && file.name.ends_with(".deb"));
        }
        let names: BTreeSet<_> = pin.packages.iter().map(|p| &p.file.name).collect();
        assert_eq!(names.len(), pin.packages.len());
        // The distribution's cloud kernels cannot.
        assert!(!pin.kernel.release.contains("cloud"));
        assert!(pin.programs.iter().any(|p| *p == format!("{}/xl", pin.tools)));
    }

    #[test]
    fn what_a_program_needs_is_read_from_it() {
        let ours = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(needed(&ours).unwrap().iter().any(|name| name == "libc.so.6"));
        assert!(needed(b"#!/bin/sh").is_err());
    }
}
