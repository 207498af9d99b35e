//! The distribution's source package, by a private apt configuration.
//!
//! Nothing of the system's apt is changed: sources, lists and cache are folders
//! of ours; mirror, keyring, proxy and certificates are the machine's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use xshell::cmd;

use super::pins::Base;
use super::{archive, machine};
use crate::host::cache::{io_error, write_atomic};
use crate::host::process;
use crate::host::setup;
use crate::{Env, Error, Kind, Result};

/// Keyrings that Debian's own releases may be signed with, when the machine's
/// entry names none.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Fetches `base`'s files into `dir`.
///
/// # Errors
/// Setup, with what apt said or how a file differs from its pin.
pub(super) fn source(env: &Env, base: &Base, dir: &Path) -> Result<()> {
    if setup::find_tool("apt-get").is_none() {
        return Err(Error::new(Kind::Setup, "this machine has no apt-get"));
    }
    env.console.step(format_args!(
        "fetching QEMU {} (source package {}, {})",
        base.version, base.package, base.suite
    ));
    let apt = Apt::configure(env, base)?;
    apt.update(env)?;
    let into = apt.dir.join("download");
    let _ = fs::remove_dir_all(&into);
    fs::create_dir_all(&into).map_err(|e| io_error("creating", &into, e))?;
    let mut c = apt.command()?;
    c.args(["source", "--download-only"]).arg(format!("qemu={}", base.package));
    run(env, c.current_dir(&into))?;
    for file in &base.files {
        archive::accept(&into.join(&file.name), file, dir)?;
    }
    let _ = fs::remove_dir_all(&apt.dir);
    Ok(())
}

struct Apt {
    dir: PathBuf,
    entry: Entry,
}

struct Entry {
    uri: String,
    signed_by: Option<String>,
    suite: String,
}

impl Apt {
    fn configure(env: &Env, base: &Base) -> Result<Self> {
        let dir = env.cache.dir(format!("apt/{}", base.version))?;
        for sub in ["state/lists/partial", "cache/archives/partial"] {
            let sub = dir.join(sub);
            fs::create_dir_all(&sub).map_err(|e| io_error("creating", &sub, e))?;
        }
        let found = machine::hosts().mirror;
        let found = found.ok_or_else(|| Error::new(Kind::Setup, machine::NO_MIRROR))?;
        let uri = found.uri;
        let signed_by =
            found.signed_by.or_else(|| Path::new(KEYRING).exists().then(|| KEYRING.to_string()));
        let apt = Apt { dir, entry: Entry { uri, signed_by, suite: base.suite.clone() } };
        write_atomic(&apt.dir.join("apt.conf"), apt.conf().as_bytes())?;
        Ok(apt)
    }

    /// Hooks of the system's apt are for the system's lists.
    fn conf(&self) -> String {
        let dir = self.dir.display();
        format!(
            "#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n\
             #clear APT::Update::Pre-Invoke;\n\
             Dir::Etc::sourcelist \"{dir}/sources.list\";\nDir::Etc::sourceparts \"-\";\n\
             Dir::State \"{dir}/state\";\nDir::State::status \"/var/lib/dpkg/status\";\n\
             Dir::Cache \"{dir}/cache\";\nAPT::Sandbox::User \"root\";\n\
             Acquire::Languages \"none\";\nAcquire::Retries \"2\";\n\
             Acquire::http::Timeout \"20\";\nAcquire::https::Timeout \"20\";\n"
        )
    }

    fn command(&self) -> Result<Command> {
        let (sh, conf) = (process::shell()?, self.dir.join("apt.conf"));
        let c = cmd!(sh, "apt-get -q -c {conf}").env("LC_ALL", "C");
        Ok(c.env("DEBIAN_FRONTEND", "noninteractive").into())
    }

    /// Gets the list of source packages. A keyring that is older than the
    /// release cannot check its signature; then the pins alone bind.
    fn update(&self, env: &Env) -> Result<()> {
        self.write_entry(false)?;
        match run(env, self.command()?.arg("update")) {
            Err(e) if is_about_keys(&e.to_string()) => {
                env.console.warn(format_args!(
                    "the signature of {} cannot be checked with this machine's keys; the files \
                     are held to their pinned SHA-256 alone",
                    self.entry.suite
                ));
                self.write_entry(true)?;
                run(env, self.command()?.arg("update"))
            }
            other => other,
        }
    }

    fn write_entry(&self, trusted: bool) -> Result<()> {
        let Entry { uri, signed_by, suite } = &self.entry;
        let options = match (trusted, signed_by) {
            (true, _) => "[trusted=yes] ".into(),
            (_, Some(keys)) => format!("[signed-by={keys}] "),
            _ => String::new(),
        };
        let line = format!("deb-src {options}{uri} {suite} main\n");
        write_atomic(&self.dir.join("sources.list"), line.as_bytes())
    }
}

fn is_about_keys(message: &str) -> bool {
    ["NO_PUBKEY", "is not signed", "EXPKEYSIG", "signatures were invalid", "Missing key"]
        .iter()
        .any(|text| message.contains(text))
}

fn run(env: &Env, command: &mut Command) -> Result<()> {
    env.console.detail(process::show(command));
    let out = process::output(command)?;
    // `apt-get update` ends with 0 though it could not fetch or check a list.
    let text = String::from_utf8_lossy(&out.stderr);
    if !out.status.success() || text.contains("Failed to fetch") || is_about_keys(&text) {
        return Err(process::failed(Kind::Setup, command, &out));
    }
    Ok(())
}
