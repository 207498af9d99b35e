//! The pinned kernel, out of its package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use xshell::cmd;

use crate::host::cache::io_error;
use crate::host::error::Context;
use crate::host::{hash, process};
use crate::qemu::source::archive;
use crate::qemu::source::pins::{File, Pins};
use crate::{Env, Error, Kind, Result};

/// Which kernel: `harness/data/linux.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// What `uname -r` says in it.
    pub release: String,
    /// The package's folder on a mirror.
    pub directory: String,
    /// What KVM needs, in the order of loading: paths below the kernel's modules,
    /// without `.ko.xz`.
    pub modules: Vec<String>,
    /// The package: of all of it, or of the image where the modules have their own.
    pub file: File,
    /// The modules' own package.
    pub apart: Option<Package>,
}

/// A package of the distribution.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its folder on a mirror.
    pub directory: String,
    /// The package.
    pub file: File,
}

impl Pin {
    /// The one this crate was built with.
    ///
    /// # Errors
    /// Harness, when the file is malformed (a test reads it too).
    pub fn builtin() -> Result<Self> {
        toml::from_str(include_str!("../../data/linux.toml"))
            .doing(Kind::Harness, || "reading harness/data/linux.toml".into())
    }

    /// Its image, in the package.
    fn image(&self) -> String {
        match self.apart {
            None => format!("boot/vmlinuz-{}", self.release),
            Some(_) => format!("usr/lib/modules/{}/vmlinuz", self.release),
        }
    }

    /// Of its packages.
    pub fn digest(&self) -> String {
        let image = &self.file.sha256;
        self.apart
            .as_ref()
            .map_or_else(|| image.clone(), |modules| hash::of_parts([image, &modules.file.sha256]))
    }

    /// A module, in the package.
    fn module(&self, path: &str) -> String {
        format!("usr/lib/modules/{}/kernel/{path}.ko.xz", self.release)
    }
}

/// A kernel on disk.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// What `uname -r` says in it.
    pub release: String,
    /// The image, as a boot loader takes it.
    pub image: PathBuf,
    /// KVM's modules, not compressed, in the order of loading.
    pub modules: Vec<PathBuf>,
}

/// A pinned kernel: from the cache, or fetched and unpacked into it.
///
/// # Errors
/// Setup, when the package cannot be had or does not hold what it should; Harness,
/// when the cache cannot be written.
pub fn obtain_pinned(env: &Env, pin: &Pin) -> Result<Kernel> {
    // The hash names it, so that what was unpacked is what is pinned.
    let home = env.cache.path(format!("linux/{}-{}", pin.release, &pin.digest()[..12]));
    let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let kernel = Kernel {
        release: pin.release.clone(),
        image: home.join("vmlinuz"),
        modules: pin.modules.iter().map(|m| home.join(name(m) + ".ko")).collect(),
    };
    if home.is_dir() {
        return Ok(kernel);
    }
    let _lock = env.cache.lock("linux", &env.console)?;
    if home.is_dir() {
        return Ok(kernel);
    }
    let fresh = env.cache.dir("linux")?.join(".new");
    empty(&fresh)?;
    let modules: Vec<String> = pin.modules.iter().map(|m| pin.module(m)).collect();
    let image = Package { directory: pin.directory.clone(), file: pin.file.clone() };
    match &pin.apart {
        None => unpack(env, &image, &[&[pin.image()], &*modules].concat(), &fresh)?,
        Some(apart) => {
            unpack(env, &image, &[pin.image()], &fresh)?;
            unpack(env, apart, &modules, &fresh)?;
        }
    }
    fs::rename(fresh.join(pin.image()), fresh.join("vmlinuz"))
        .doing(Kind::Setup, || format!("looking for {} in {}", pin.image(), pin.file.name))?;
    for module in &pin.modules {
        decompress(&fresh.join(pin.module(module)), &fresh.join(name(module) + ".ko"))?;
    }
    for folder in ["boot", "usr"].map(|folder| fresh.join(folder)) {
        if folder.is_dir() {
            fs::remove_dir_all(&folder).map_err(|e| io_error("removing", &folder, e))?;
        }
    }
    fs::rename(&fresh, &home).map_err(|e| io_error("writing", &home, e))?;
    Ok(kernel)
}

/// The contents of one of its files.
///
/// # Errors
/// Harness, when it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| io_error("reading", path, e))
}

/// Fetches a package and takes `members` out of it, into `dir`: it is an ar archive with
/// a tar archive in it.
///
/// # Errors
/// Setup, when it cannot be had or does not hold them.
pub fn unpack(env: &Env, package: &Package, members: &[String], dir: &Path) -> Result<()> {
    let debian = Pins::builtin()?.debian;
    let Package { directory, file } = package;
    let package = archive::single(env, &debian, directory, file, "archives/linux")?;
    env.console.step(format_args!("unpacking {}", file.name));
    let data = dir.join("data.tar.xz");
    let sh = process::shell()?;
    let mut ar: Command = cmd!(sh, "ar x {package} data.tar.xz").into();
    process::stdout(Kind::Setup, ar.current_dir(dir))?;
    let members = members.iter().map(|member| format!("./{member}"));
    let tar =
        cmd!(sh, "tar -xJ --no-same-owner --no-same-permissions -f {data} -C {dir} {members...}");
    process::stdout(Kind::Setup, &mut tar.into())?;
    fs::remove_file(&data).map_err(|e| io_error("removing", &data, e))
}

/// Not every kernel decompresses its modules itself.
fn decompress(from: &Path, to: &Path) -> Result<()> {
    let into = fs::File::create(to).map_err(|e| io_error("writing", to, e))?;
    let sh = process::shell()?;
    let mut xz: Command = cmd!(sh, "xz --decompress --stdout {from}").into();
    xz.stdin(Stdio::null()).stdout(into);
    let status = xz.status().map_err(|e| process::not_started(&xz, e))?;
    if !status.success() {
        let what = format!("{} failed ({status})", process::show(&xz));
        return Err(Error::new(Kind::Setup, what));
    }
    Ok(())
}

/// Makes it a folder with nothing in it.
///
/// # Errors
/// Harness.
pub(crate) fn empty(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(io_error("removing", dir, e));
        }
        _ => {}
    }
    fs::create_dir_all(dir).map_err(|e| io_error("creating", dir, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pin_names_one_kernel_in_its_package_its_folder_and_its_modules() {
        let pin = Pin::builtin().unwrap();
        assert!(pin.file.name.starts_with(&format!("linux-image-{}_", pin.release)));
        assert!(pin.file.name.ends_with("_amd64.deb") && pin.file.sha256.len() == 64);
        assert!(pin.modules.last().unwrap().ends_with("kvm-amd"));
        assert!(pin.module(&pin.modules[0]).ends_with("kernel/virt/lib/irqbypass.ko.xz"));
    }
}
