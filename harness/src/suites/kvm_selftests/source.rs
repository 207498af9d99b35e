//! The tests: their source out of the distribution's package, and what is built of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use svm_model::Feature;
use xshell::cmd;

use crate::host::cache::{io_error, write_atomic};
use crate::host::error::Context;
use crate::host::setup::{self, Need};
use crate::host::{hash, process};
use crate::linux::kernel::{self, Package};
use crate::{Env, Error, Kind, Result};

/// Where the tests are in the kernel's source.
const TESTS: &str = "tools/testing/selftests/kvm";
/// How they are built; the outcome depends on it. Static, since L1 has no libraries.
const FLAGS: &str = "ARCH=x86 LDFLAGS=-static";

/// What `harness/data/kvm-selftests.toml` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pins {
    /// The tests' source.
    pub(super) source: Source,
    /// L1's kernel.
    pub(super) kernel: kernel::Pin,
    /// Tests that compare clocks.
    pub(super) timed: Vec<String>,
    /// Tests that run on the first processor alone.
    pub(super) slow: Vec<String>,
    features: BTreeMap<Feature, Vec<String>>,
    others: Others,
}

/// Tests of no feature.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Others {
    tests: Vec<String>,
}

/// A kernel's source.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    /// Its version.
    pub(super) version: String,
    package: Package,
    /// The archive in the package, the folder that is all of it, and what is needed.
    archive: String,
    root: String,
    folders: Vec<String>,
}

impl Pins {
    /// The ones this crate was built with.
    ///
    /// # Errors
    /// Harness, when the file is malformed (a test reads it too).
    pub(super) fn builtin() -> Result<Self> {
        toml::from_str(include_str!("../../../data/kvm-selftests.toml"))
            .doing(Kind::Harness, || "reading harness/data/kvm-selftests.toml".into())
    }

    /// Every test and its feature, by name.
    pub(super) fn tests(&self) -> BTreeMap<&str, Option<Feature>> {
        let features = self.features.iter();
        let about = features.flat_map(|(f, tests)| tests.iter().map(|t| (t.as_str(), Some(*f))));
        about.chain(self.others.tests.iter().map(|t| (t.as_str(), None))).collect()
    }

    /// Of all that is pinned, and of how it is built.
    pub(super) fn digest(&self) -> String {
        let Source { package, folders, .. } = &self.source;
        hash::of_parts([&package.file.sha256, &self.kernel.digest(), FLAGS, &folders.join(" ")])
    }
}

/// The folder with the built tests: from the cache, or built there.
///
/// # Errors
/// Setup, when the package cannot be had or a tool is missing; Build, when nothing
/// can be built; Harness, when the cache cannot be written.
pub(super) fn obtain(env: &Env, pins: &Pins) -> Result<PathBuf> {
    // The hash names it, so that what was built is what is pinned.
    let name = format!("linux/selftests-{}-{}", pins.source.version, &pins.digest()[..12]);
    let home = env.cache.path(name);
    if home.is_dir() {
        return Ok(home);
    }
    setup::require(env, &[Need::Selftests])?;
    let _lock = env.cache.lock("linux-selftests", &env.console)?;
    if home.is_dir() {
        return Ok(home);
    }
    let work = env.cache.dir("linux")?.join(".selftests");
    let (tree, fresh) = (work.join("tree"), work.join("built"));
    for folder in [&work, &tree, &fresh] {
        kernel::empty(folder)?;
    }
    unpack(env, &pins.source, &work, &tree)?;
    build(env, &pins.source, &tree, &work.join("log"))?;
    let built = tree.join(TESTS).join("x86");
    let names = known(pins, &built)?;
    if names.is_empty() {
        let log = work.join("log");
        return Err(Error::new(Kind::Build, "no KVM selftest compiles")
            .hint(format!("the compiler's words are in {}", log.display())));
    }
    for name in names {
        strip(&built.join(&name), &fresh.join(&name))?;
    }
    fs::rename(&fresh, &home).map_err(|e| io_error("writing", &home, e))?;
    fs::remove_dir_all(&work).map_err(|e| io_error("removing", &work, e))?;
    Ok(home)
}

/// What of the source is needed, into `tree`.
fn unpack(env: &Env, source: &Source, work: &Path, tree: &Path) -> Result<()> {
    kernel::unpack(env, &source.package, std::slice::from_ref(&source.archive), work)?;
    let (sh, archive) = (process::shell()?, work.join(&source.archive));
    let folders = source.folders.iter().map(|folder| format!("{}/{folder}", source.root));
    let tar = cmd!(
        sh,
        "tar -xJ --no-same-owner --strip-components=1 -f {archive} -C {tree} {folders...}"
    );
    process::stdout(Kind::Setup, &mut tar.into())?;
    fs::remove_file(&archive).map_err(|e| io_error("removing", &archive, e))
}

/// Builds what can be built: a test that cannot is not there then.
fn build(env: &Env, source: &Source, tree: &Path, log: &Path) -> Result<()> {
    env.console.step(format_args!("building the KVM selftests of Linux {}", source.version));
    let (sh, flags) = (process::shell()?, FLAGS.split(' '));
    let jobs = format!("-j{}", std::thread::available_parallelism().map_or(1, usize::from));
    let mut headers: Command = cmd!(sh, "make --silent -C {tree} {jobs} ARCH=x86 headers").into();
    process::stdout(Kind::Build, &mut headers)?;
    let tests = tree.join(TESTS);
    let mut tests: Command = cmd!(sh, "make -C {tests} --keep-going {jobs} {flags...}").into();
    let output = process::output(&mut tests)?;
    write_atomic(log, &[output.stdout, output.stderr].concat())
}

/// The names of what was built, all of which must be pinned.
///
/// # Errors
/// Harness, when there is one that nobody knows.
fn known(pins: &Pins, built: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(built).map_err(|e| io_error("reading", built, e))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let names: Vec<String> = names.filter(|name| !name.contains('.')).collect();
    let all = pins.tests();
    match names.iter().find(|name| !all.contains_key(name.as_str())) {
        None => Ok(names),
        Some(stranger) => {
            let what = format!("harness/data/kvm-selftests.toml does not have {stranger}");
            Err(Error::new(Kind::Harness, what))
        }
    }
}

/// Takes a program over, without what only a debugger reads.
fn strip(from: &Path, to: &Path) -> Result<()> {
    let sh = process::shell()?;
    process::stdout(Kind::Build, &mut cmd!(sh, "strip -o {to} {from}").into()).map(drop)
}
