//! Everything that is needed, and whether it is there.

use std::path::Path;
use std::process::Command;

use super::{PACKAGES, Package, python};
use crate::Env;
use crate::host::process;

/// One line of `cargo xtask doctor`.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Is it there?
    pub ok: bool,
    /// What.
    pub name: String,
    /// What it is for, or what was found.
    pub detail: String,
}

/// Looks at everything; changes nothing.
pub fn examine(env: &Env) -> Vec<Finding> {
    let mut all: Vec<_> = PACKAGES.iter().map(package).collect();
    all.push(tool("cargo", "builds this project"));
    all.push(compiler());
    all.push(python_found());
    all.push(cache(env));
    all
}

/// What is missing of the system packages.
pub fn missing() -> Vec<&'static Package> {
    PACKAGES.iter().filter(|p| !p.present()).collect()
}

fn package(p: &Package) -> Finding {
    Finding { ok: p.present(), name: p.debian.into(), detail: p.why.into() }
}

fn tool(name: &str, why: &str) -> Finding {
    let version = first_line(Command::new(name).arg("--version"));
    let detail = version.clone().unwrap_or_else(|| why.into());
    Finding { ok: version.is_some(), name: name.into(), detail }
}

fn compiler() -> Finding {
    let found = super::compiler::compiler().map(|c| c.version);
    let ok = found.is_ok();
    let detail = found.unwrap_or_else(|e| e.to_string());
    Finding { ok, name: "C compiler".into(), detail }
}

fn python_found() -> Finding {
    let found = python::usable();
    let detail = match &found {
        Some(path) => path.display().to_string(),
        None => "no Python 3.9 with venv and ensurepip".into(),
    };
    Finding { ok: found.is_some(), name: "Python".into(), detail }
}

/// What one base and flavour takes: source, tree, objects, binaries.
const WANTED_BYTES: u64 = 2 << 30;

fn cache(env: &Env) -> Finding {
    let root = env.cache.root();
    let free = free_bytes(root);
    let gib = |b: u64| b as f64 / f64::from(1 << 30);
    let detail = match free {
        Some(b) => format!("{}, {:.1} GiB free", root.display(), gib(b)),
        None => format!("{}, free space unknown", root.display()),
    };
    Finding { ok: free.is_none_or(|b| b >= WANTED_BYTES), name: "cache".into(), detail }
}

fn free_bytes(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}

fn first_line(command: &mut Command) -> Option<String> {
    let out = process::output(command).ok().filter(|o| o.status.success())?;
    String::from_utf8_lossy(&out.stdout).lines().next().map(str::to_string)
}
