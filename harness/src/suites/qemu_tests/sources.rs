//! The files of the tests: QEMU's `tests/tcg`, with the series of this checkout.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::NAME;
use crate::host::cache::{io_error, write_atomic};
use crate::host::git::Git;
use crate::host::process;
use crate::host::setup::{self, Need};
use crate::qemu::build::apply;
use crate::qemu::build::patch::{self, Patch};
use crate::qemu::source::{self, Source};
use crate::{Env, Error, Kind, Result};

/// Where the programs are, and the makefile that says how they are run.
const SYSTEM: &str = "tests/tcg/x86_64/system";
const MAKEFILE: &str = "tests/tcg/x86_64/Makefile.softmmu-target";
/// The folder of the compiled programs.
const BUILT: &str = "x86_64-softmmu";
/// What `configure` says of the target, for a compiler of the host's own kind.
const TARGET: &str = "TARGET_NAME=x86_64\nTARGET=x86_64-softmmu\nEXTRA_CFLAGS=-m64 -mcx16\nCC=cc\n";
/// Written when the rest is.
const DONE: &str = "done";

/// The tests, compiled, in the harness's cache.
pub(super) struct Sources {
    /// The folder with `src`, as in a QEMU tree, and `build`.
    home: PathBuf,
    /// What identifies them.
    pub(super) digest: String,
    /// The programs' names, in order.
    pub(super) programs: Vec<String>,
}

/// The tests of the series of `env`'s checkout.
///
/// # Errors
/// Setup, when the source cannot be had, or the series has no tests; Build, when it does not
/// apply or they do not compile.
pub(super) fn obtain(env: &Env) -> Result<Sources> {
    let source = source::obtain(env, &source::Request::default())?;
    let series = env.repo.join(format!("patches/qemu-{}", source.major_minor()));
    let patches = patch::series(&series)?.into_iter().map(|p| Patch::read(&p));
    let applied = apply::apply(&source, &patches.collect::<Result<Vec<_>>>()?)?;
    let digest =
        Git::new(&source.git).run(["rev-parse", &format!("{}:tests/tcg", applied.tip())])?;
    let home = env.cache.path(format!("{NAME}/{}", &digest[..16]));
    let _lock = env.cache.lock(NAME, &env.console)?;
    if !home.join(DONE).is_file() {
        setup::require(env, &[Need::QemuTests])?;
        env.console.step(format_args!("compiling the tests that the series has in {SYSTEM}"));
        write(&source, applied.tip(), &home)?;
    }
    let programs = programs(&home.join("src").join(SYSTEM))?;
    if programs.is_empty() {
        let what = format!("{} brings no tests into {SYSTEM}", series.display());
        return Err(Error::new(Kind::Setup, what));
    }
    let sources = Sources { home, digest, programs };
    if !sources.home.join(DONE).is_file() {
        sources.compile()?;
    }
    Ok(sources)
}

/// Writes the files of `commit`, and what `configure` would.
fn write(source: &Source, commit: &str, home: &Path) -> Result<()> {
    if home.exists() {
        fs::remove_dir_all(home).map_err(|e| io_error("removing", home, e))?;
    }
    let (tests, built) = (home.join("src/tests/tcg"), home.join("build").join(BUILT));
    for dir in [&tests, &built] {
        fs::create_dir_all(dir).map_err(|e| io_error("creating", dir, e))?;
    }
    let git = Git::new(&source.git).with_work_tree(&tests).with_index(home.join("index"));
    git.run(["read-tree", &format!("{commit}:tests/tcg")])?;
    git.run(["checkout-index", "--all"])?;
    write_atomic(&home.join("build/config-host.mak"), b"PYTHON=python3\n")?;
    write_atomic(&built.join("config-target.mak"), TARGET.as_bytes())
}

/// The programs of the tests: `svm-*.c`.
fn programs(dir: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(dir).map_err(|e| io_error("reading", dir, e))?;
    let names = entries.flatten().filter_map(|e| e.file_name().into_string().ok());
    let program = |name: String| Some(name.strip_suffix(".c")?.to_owned());
    let mut programs: Vec<String> =
        names.filter_map(program).filter(|name| name.starts_with("svm-")).collect();
    programs.sort();
    Ok(programs)
}

impl Sources {
    /// The text of a program.
    pub(super) fn read(&self, program: &str) -> Result<String> {
        self.text(&format!("{SYSTEM}/{program}.c"))
    }

    /// The text of the makefile.
    pub(super) fn makefile(&self) -> Result<String> {
        self.text(MAKEFILE)
    }

    fn text(&self, name: &str) -> Result<String> {
        let path = self.home.join("src").join(name);
        fs::read_to_string(&path).map_err(|e| io_error("reading", &path, e))
    }

    /// make's arguments in `dir`, a folder like the one that `build` is.
    pub(super) fn arguments(&self, dir: &Path) -> Vec<OsString> {
        let src = self.home.join("src");
        let mut path = OsString::from("SRC_PATH=");
        path.push(&src);
        let makefile = src.join("tests/tcg/Makefile.target").into();
        vec!["-C".into(), dir.join(BUILT).into(), "-f".into(), makefile, path]
    }

    fn compile(&self) -> Result<()> {
        let mut make = Command::new("make");
        make.args(self.arguments(&self.home.join("build"))).args(&self.programs);
        let out = process::output(&mut make)?;
        if !out.status.success() {
            return Err(process::failed(Kind::Build, &make, &out));
        }
        write_atomic(&self.home.join(DONE), b"")
    }

    /// A copy of `build`, for one run: each run writes files there.
    pub(super) fn scratch(&self) -> Result<TempDir> {
        let scratch = tempfile::Builder::new().prefix("qemu-tests-").tempdir();
        let scratch = scratch.map_err(|e| io_error("writing", &std::env::temp_dir(), e))?;
        let mut copy = Command::new("cp");
        // With the times, so that make finds nothing to do.
        copy.arg("-a").arg(self.home.join("build/.")).arg(scratch.path());
        let out = process::output(&mut copy)?;
        if !out.status.success() {
            return Err(process::failed(Kind::Harness, &copy, &out));
        }
        Ok(scratch)
    }
}

/// What the guest of `run` printed, in a folder made by [`Sources::scratch`].
pub(super) fn printed(scratch: &Path, run: &str) -> String {
    let name = |prefix: &str| scratch.join(BUILT).join(format!("{prefix}{run}.out"));
    // A second run of a program has a file of its own.
    let text = fs::read(name("run-")).or_else(|_| fs::read(name("")));
    String::from_utf8_lossy(&text.unwrap_or_default()).into_owned()
}
