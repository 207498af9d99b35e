//! Everything that is needed, and whether it is there.

use std::path::Path;
use std::process::Command;

use super::{Need, PACKAGES, Package, python};
use crate::Env;
use crate::host::process;

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is.
    There,
    /// It is not, and is needed.
    Missing,
    /// It is not, and no QEMU that was asked for needs it.
    Unneeded,
}

/// One line of `cargo xtask doctor`.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Is it there?
    pub state: State,
    /// What.
    pub name: String,
    /// What it is for, or what was found.
    pub detail: String,
}

/// What only some ask for.
const APART: [Need; 3] = [Need::Older, Need::Full, Need::Package];

/// Looks at everything; changes nothing. `more` is what is wanted of what only some
/// ask for: a QEMU that is older than the default one, or a package of it.
pub fn examine(env: &Env, more: &[Need]) -> Vec<Finding> {
    let mut all: Vec<_> = PACKAGES.iter().map(|p| package(p, more)).collect();
    all.push(tool("cargo", "builds this project"));
    all.push(compiler());
    all.push(python_found());
    all.push(cache(env));
    all
}

/// What is missing of the system packages.
pub fn missing(more: &[Need]) -> Vec<&'static Package> {
    PACKAGES.iter().filter(|p| wanted(p, more) && !p.present()).collect()
}

/// Whether a QEMU that was asked for, or what is done with it, needs the package.
fn wanted(p: &Package, more: &[Need]) -> bool {
    p.needs.iter().any(|need| !APART.contains(need) || more.contains(need))
}

fn package(p: &Package, more: &[Need]) -> Finding {
    let state = match p.present() {
        true => State::There,
        false if wanted(p, more) => State::Missing,
        false => State::Unneeded,
    };
    Finding { state, name: p.debian.into(), detail: p.why.into() }
}

fn needed(there: bool) -> State {
    if there { State::There } else { State::Missing }
}

fn tool(name: &str, why: &str) -> Finding {
    let version = first_line(Command::new(name).arg("--version"));
    let detail = version.clone().unwrap_or_else(|| why.into());
    Finding { state: needed(version.is_some()), name: name.into(), detail }
}

fn compiler() -> Finding {
    let found = super::compiler::compiler().map(|c| c.version);
    let ok = found.is_ok();
    let detail = found.unwrap_or_else(|e| e.to_string());
    Finding { state: needed(ok), name: "C compiler".into(), detail }
}

fn python_found() -> Finding {
    let found = python::usable();
    let detail = match &found {
        Some(path) => path.display().to_string(),
        None => "no Python 3.9 with venv and ensurepip".into(),
    };
    Finding { state: needed(found.is_some()), name: "Python".into(), detail }
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
    let state = needed(free.is_none_or(|b| b >= WANTED_BYTES));
    Finding { state, name: "cache".into(), detail }
}

fn free_bytes(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}

fn first_line(command: &mut Command) -> Option<String> {
    let out = process::output(command).ok().filter(|o| o.status.success())?;
    String::from_utf8_lossy(&out.stdout).lines().next().map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::setup::Check;

    #[test]
    fn what_only_another_qemu_needs_is_missing_for_that_one_only() {
        let check = Check::Tool(&["no-such-tool-anywhere"]);
        let of = |needs| Package { debian: "x", check, needs, why: "y" };
        let (other, both) = (of(&[Need::Older]), of(&[Need::Older, Need::Run]));
        assert_eq!(package(&other, &[]).state, State::Unneeded);
        assert_eq!(package(&other, &[Need::Older]).state, State::Missing);
        assert_eq!(package(&other, &[Need::Full]).state, State::Unneeded);
        assert_eq!(package(&both, &[]).state, State::Missing);
        let there = Package { check: Check::Tool(&["sh"]), ..other };
        assert_eq!(package(&there, &[]).state, State::There);
    }
}
