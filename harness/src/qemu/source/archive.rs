//! Archives: fetched, checked against their pins, kept.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use xshell::cmd;

use super::pins::{Base, Debian, File};
use super::{apt, machine};
use crate::host::cache::io_error;
use crate::host::process;
use crate::host::setup;
use crate::{Env, Error, Kind, Result};

/// The verified files of `base`'s source package, fetched when the cache does
/// not have them.
///
/// # Errors
/// Setup, saying what was tried, when a file cannot be had or is not what was
/// pinned.
pub fn files(env: &Env, debian: &Debian, base: &Base) -> Result<PathBuf> {
    let dir = env.cache.dir(format!("archives/{}", base.version))?;
    drop_wrong(env, &dir, &base.files)?;
    if missing(&dir, &base.files).is_empty() {
        return Ok(dir);
    }
    let mut tried = Vec::new();
    if debian.apt
        && let Err(e) = apt::source(env, base, &dir)
    {
        crate::host::interrupt::check()?;
        tried.push(format!("apt: {e}"));
    }
    for file in missing(&dir, &base.files) {
        fetch(env, debian, &base.directory, file, &dir).map_err(|e| {
            if e.kind() == Kind::Interrupted {
                return e;
            }
            tried.push(e.to_string());
            let tried = tried.join("\n    ");
            let what = format!("QEMU {} cannot be fetched; tried:\n    {tried}", base.version);
            Error::new(Kind::Setup, format!("{what}\n  {OFFLINE}"))
        })?;
    }
    for file in &base.files {
        verify(&dir.join(&file.name), file)?;
    }
    Ok(dir)
}

/// The verified `file` of the mirror's folder `directory`, in the folder `dir` of
/// the cache; fetched when it is not there.
///
/// # Errors
/// Setup, saying what was tried, when it cannot be had or is not what was pinned.
pub fn single(
    env: &Env,
    debian: &Debian,
    directory: &str,
    file: &File,
    dir: &str,
) -> Result<PathBuf> {
    let dir = env.cache.dir(dir)?;
    let wanted = std::slice::from_ref(file);
    drop_wrong(env, &dir, wanted)?;
    if !missing(&dir, wanted).is_empty() {
        fetch(env, debian, directory, file, &dir).map_err(|e| match e.kind() {
            Kind::Interrupted => e,
            kind => Error::new(kind, format!("{} cannot be fetched; tried:\n    {e}", file.name)),
        })?;
    }
    Ok(dir.join(&file.name))
}

const OFFLINE: &str = "without a network, name an unpacked release with --qemu-src DIR";

/// The files that are not there yet.
fn missing<'a>(dir: &Path, files: &'a [File]) -> Vec<&'a File> {
    files.iter().filter(|f| !dir.join(&f.name).is_file()).collect()
}

/// A damaged file in the cache is said, set aside and fetched again.
fn drop_wrong(env: &Env, dir: &Path, files: &[File]) -> Result<()> {
    for file in files {
        let path = dir.join(&file.name);
        if path.is_file()
            && let Err(e) = verify(&path, file)
        {
            env.console.warn(format_args!("{e}\n  it is fetched again"));
            fs::remove_file(&path).map_err(|e| io_error("removing", &path, e))?;
        }
    }
    Ok(())
}

/// Fetches one file from the first address that has it.
fn fetch(env: &Env, debian: &Debian, directory: &str, file: &File, dir: &Path) -> Result<()> {
    let hosts = machine::hosts();
    let mut tried = Vec::new();
    for template in &debian.archives {
        let url = match hosts.fill(template) {
            Ok(url) => url,
            Err(unknown) => {
                tried.push(unknown);
                continue;
            }
        };
        let url = url
            .replace("{directory}", directory)
            .replace("{name}", &file.name)
            .replace("{sha1}", &file.sha1);
        env.console.step(format_args!("fetching {url}"));
        match download(&url, &dir.join(format!("{}.part", file.name))) {
            Ok(part) => return accept(&part, file, dir),
            Err(e) if e.kind() == Kind::Interrupted => return Err(e),
            Err(e) => tried.push(format!("{url}: {e}")),
        }
    }
    Err(Error::new(Kind::Setup, tried.join("\n    ")))
}

/// Moves `part` to its place in `dir`, if it is what was pinned; else removes it.
///
/// # Errors
/// Setup, with both hashes.
pub(super) fn accept(part: &Path, file: &File, dir: &Path) -> Result<()> {
    if let Err(e) = verify(part, file) {
        let _ = fs::remove_file(part);
        return Err(e);
    }
    let to = dir.join(&file.name);
    fs::rename(part, &to).map_err(|e| io_error("writing", &to, e))
}

const APT_HELPER: &str = "/usr/lib/apt/apt-helper";
/// Our cache need not be readable to apt's own user.
const ROOT: &str = "APT::Sandbox::User=root";

/// Fetches `url` with apt's own downloader, which knows the machine's proxy,
/// or with curl or wget.
fn download(url: &str, part: &Path) -> Result<PathBuf> {
    let _ = fs::remove_file(part);
    // A mirror on this machine.
    if let Some(path) = url.strip_prefix("file:") {
        let path = Path::new(path.strip_prefix("//").unwrap_or(path));
        fs::copy(path, part).map_err(|e| io_error("copying", path, e))?;
        return Ok(part.to_path_buf());
    }
    let sh = process::shell()?;
    let c = if Path::new(APT_HELPER).exists() {
        let settings = ["Acquire::http::Timeout=20", "Acquire::https::Timeout=20", ROOT];
        let settings = settings.iter().flat_map(|setting| ["-o", setting]);
        cmd!(sh, "{APT_HELPER} {settings...} download-file {url} {part}")
    } else if setup::find_tool("curl").is_some() {
        cmd!(sh, "curl -fsSL --connect-timeout 20 -o {part} {url}")
    } else {
        cmd!(sh, "wget -q --timeout=20 --tries=2 -O {part} {url}")
    };
    process::stdout(Kind::Setup, &mut c.into())?;
    Ok(part.to_path_buf())
}

/// Checks that `path` is what was pinned.
///
/// # Errors
/// Setup, with both hashes.
pub fn verify(path: &Path, file: &File) -> Result<()> {
    let (size, sha256) = hash(path).map_err(|e| io_error("reading", path, e))?;
    if sha256 == file.sha256 {
        return Ok(());
    }
    Err(Error::new(
        Kind::Setup,
        format!(
            "{} is not the pinned file\n  expected sha256 {} ({} bytes)\n  found    sha256 {sha256} \
             ({size} bytes)",
            path.display(),
            file.sha256,
            file.size
        ),
    ))
}

fn hash(path: &Path) -> io::Result<(u64, String)> {
    let mut from = fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut size = 0;
    let mut buf = vec![0; 1 << 16];
    loop {
        let n = from.read(&mut buf)?;
        if n == 0 {
            return Ok((size, crate::host::hash::hex(&hasher.finalize())));
        }
        size += n as u64;
        hasher.update(&buf[..n]);
    }
}
