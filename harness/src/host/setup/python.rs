//! A private virtual environment with meson, for QEMU's configure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use xshell::cmd;

use crate::host::cache::io_error;
use crate::host::process;
use crate::{Env, Error, Kind, Result};

/// Python with meson, in the cache.
#[derive(Clone, Debug)]
pub struct Venv {
    dir: PathBuf,
}

/// What a Python must manage: QEMU asks for 3.9, and a virtual environment
/// needs `ensurepip`, which Debian packages apart.
const PROBE: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))";

const PIP: [&str; 2] = ["--disable-pip-version-check", "--only-binary=:all:"];

/// The first Python that can make a virtual environment: the system's own
/// before whatever is first on the path, which may be a version manager's.
pub fn usable() -> Option<PathBuf> {
    let system = PathBuf::from("/usr/bin/python3");
    let on_path = super::find_tool("python3");
    std::iter::once(system).chain(on_path).find(|python| {
        let mut c = Command::new(python);
        process::output(clean(&mut c).args(["-c", PROBE])).is_ok_and(|out| out.status.success())
    })
}

impl Venv {
    /// The environment with this version of meson, made when the cache does not
    /// have it.
    ///
    /// # Errors
    /// Setup, with what pip said.
    pub fn with_meson(env: &Env, version: &str) -> Result<Self> {
        let dir = env.cache.path(format!("venv/meson-{version}"));
        let venv = Venv { dir };
        if venv.works() {
            return Ok(venv);
        }
        let _lock = env.cache.lock("venv", &env.console)?;
        if venv.works() {
            return Ok(venv);
        }
        env.console.step(format_args!("installing meson {version} into a private environment"));
        venv.create(version)?;
        Ok(venv)
    }

    /// Its Python.
    pub fn python(&self) -> PathBuf {
        self.dir.join("bin/python3")
    }

    /// Its `meson` script.
    pub fn script(&self) -> PathBuf {
        self.dir.join("bin/meson")
    }

    /// Its `meson` command.
    pub fn meson(&self) -> Command {
        let mut c = Command::new(self.python());
        clean(&mut c).args(["-m", "mesonbuild.mesonmain"]);
        c
    }

    /// Scripts in it name its path, so it cannot be made elsewhere and moved;
    /// a file that is written last says that it is whole.
    fn works(&self) -> bool {
        let whole = fs::read_to_string(self.mark()).is_ok_and(|at| Path::new(&at) == self.dir);
        whole && process::output(self.meson().arg("--version")).is_ok_and(|o| o.status.success())
    }

    fn mark(&self) -> PathBuf {
        self.dir.join("qemu-svm.whole")
    }

    fn create(&self, version: &str) -> Result<()> {
        let python = usable().ok_or_else(|| {
            Error::new(Kind::Setup, "no Python 3.9 with venv and ensurepip was found")
                .hint("install python3-venv")
        })?;
        let _ = fs::remove_dir_all(&self.dir);
        let parent = self.dir.parent().unwrap_or(&self.dir);
        fs::create_dir_all(parent).map_err(|e| io_error("creating", parent, e))?;
        let (sh, dir) = (process::shell()?, &self.dir);
        let mut c: Command = cmd!(sh, "{python} -m venv {dir}").into();
        process::stdout(Kind::Setup, clean(&mut c))?;
        let python = self.python();
        let meson = format!("meson=={version}");
        let pip = cmd!(sh, "{python} -m pip install --quiet --no-input {PIP...} {meson}");
        let mut pip: Command = pip.into();
        clean(&mut pip);
        process::stdout(Kind::Setup, &mut pip).map_err(|e| {
            e.hint("pip needs its package index; set PIP_INDEX_URL or PIP_FIND_LINKS for a mirror")
        })?;
        crate::host::cache::write_atomic(&self.mark(), self.dir.as_os_str().as_encoded_bytes())
    }
}

/// Without what a version manager or another environment has put there.
fn clean(command: &mut Command) -> &mut Command {
    for name in ["PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PYENV_VERSION", "PIP_TARGET"] {
        command.env_remove(name);
    }
    command
}
