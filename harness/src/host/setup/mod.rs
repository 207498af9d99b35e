//! What the machine must have, checked and, where allowed, installed.

pub mod doctor;
pub mod python;

mod compiler;
mod packages;

use std::path::{Path, PathBuf};
use std::process::Command;

use xshell::cmd;

use crate::host::process;
use crate::{Env, Error, Kind, Result};

pub use compiler::{Compiler, compiler};
pub use packages::{Check, Need, PACKAGES, Package};

/// Makes sure that what `needs` asks for is there: installs it as root on a
/// Debian-family system, unless that is forbidden.
///
/// # Errors
/// Setup, with what is missing, why, and the line that installs it.
pub fn require(env: &Env, needs: &[Need]) -> Result<()> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    if !(env.install && debian_family() && rustix::process::geteuid().is_root()) {
        return Err(report(env, &missing));
    }
    // Only one at a time, and the other may have installed the same.
    let _lock = env.cache.lock("packages", &env.console)?;
    let missing = self::missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    for p in &missing {
        env.console.step(format_args!("installing {}: {}", p.debian, p.why));
    }
    install(env, &missing)?;
    let still = self::missing(needs);
    if still.is_empty() {
        return Ok(());
    }
    let names = names(&still).join(" ");
    Err(Error::new(Kind::Setup, format!("installed, but still not usable: {names}"))
        .hint("`cargo xtask doctor` says what is looked for"))
}

/// The program `name` on the path.
pub fn find_tool(name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let runs =
        |p: &Path| p.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|p| runs(p))
}

/// Is this Debian or made from it?
pub fn debian_family() -> bool {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    is_debian_family(&release) && find_tool("apt-get").is_some()
}

fn is_debian_family(os_release: &str) -> bool {
    os_release.lines().filter_map(|l| l.split_once('=')).any(|(key, value)| {
        matches!(key, "ID" | "ID_LIKE")
            && value.trim_matches('"').split_whitespace().any(|id| id == "debian")
    })
}

fn missing(needs: &[Need]) -> Vec<&'static Package> {
    let wanted = PACKAGES.iter().filter(|p| p.needs.iter().any(|n| needs.contains(n)));
    wanted.filter(|p| !p.present()).collect()
}

fn names(packages: &[&Package]) -> Vec<&'static str> {
    packages.iter().map(|p| p.debian).collect()
}

fn report(env: &Env, missing: &[&Package]) -> Error {
    let lines: Vec<_> = missing.iter().map(|p| format!("{:18} {}", p.debian, p.why)).collect();
    let message = format!("system packages are missing\n  {}", lines.join("\n  "));
    let line = install_line(missing);
    let hint = if !debian_family() {
        format!("install what provides them on this system (the names are Debian's):\n  {line}")
    } else if env.install {
        format!("not root, so install them with:\n  {line}")
    } else {
        format!("--no-install was given; install them with:\n  {line}")
    };
    Error::new(Kind::Setup, message).hint(hint)
}

/// The line that installs `packages`, to be pasted into a shell.
pub fn install_line(packages: &[&Package]) -> String {
    let sudo = if rustix::process::geteuid().is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get install -y --no-install-recommends {}", names(packages).join(" "))
}

fn install(env: &Env, packages: &[&Package]) -> Result<()> {
    // Lists that are missing or old are the usual reason for the first to fail.
    if apt(env, &["install", "-y", "--no-install-recommends"], packages).is_ok() {
        return Ok(());
    }
    crate::host::interrupt::check()?;
    env.console.step("updating the package lists");
    apt(env, &["update"], &[])?;
    apt(env, &["install", "-y", "--no-install-recommends"], packages)
}

fn apt(env: &Env, args: &[&str], packages: &[&Package]) -> Result<()> {
    let (sh, names) = (process::shell()?, names(packages));
    // Another apt may be at work; its locks are waited for.
    let c = cmd!(sh, "apt-get -q -o DPkg::Lock::Timeout=300 {args...} {names...}");
    let mut c = Command::from(c.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C"));
    env.console.detail(process::show(&c));
    process::stdout(Kind::Setup, &mut c).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_what_is_like_it_are_the_family() {
        assert!(is_debian_family("NAME=x\nID=debian\n"));
        assert!(is_debian_family("ID=mint\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!is_debian_family("ID=fedora\nVERSION=debian\n"));
    }

    #[test]
    fn the_line_to_run_names_every_package() {
        let all: Vec<_> = PACKAGES.iter().collect();
        let line = install_line(&all);
        assert!(PACKAGES.iter().all(|p| line.contains(p.debian)));
    }

    #[test]
    fn a_tool_is_found_only_when_it_can_be_run() {
        assert!(find_tool("sh").is_some());
        assert_eq!(find_tool("no-such-tool-anywhere"), None);
    }
}
