//! What every step is given: the repository, the cache, the console.

use std::path::{Path, PathBuf};

use crate::host::cache::Cache;
use crate::host::console::Console;
use crate::{Error, Kind, Result};

/// The surroundings of one run.
#[derive(Debug)]
pub struct Env {
    /// The root of this repository.
    pub repo: PathBuf,
    /// Where sources, builds and logs are kept between runs.
    pub cache: Cache,
    /// May missing system packages be installed?
    pub install: bool,
    /// Where progress is shown.
    pub console: Console,
}

impl Env {
    /// The folder that holds the series for QEMU `version` (`"10.2.2"`).
    pub fn series_of(&self, version: &str) -> PathBuf {
        let branch: Vec<&str> = version.split('.').take(2).collect();
        self.series_dir(&branch.join("."))
    }

    /// The folder that holds the series for QEMU `major_minor` (`"10.2"`).
    pub fn series_dir(&self, major_minor: &str) -> PathBuf {
        self.repo.join("patches").join(format!("qemu-{major_minor}"))
    }
}

/// Finds the repository: the nearest folder above `from` with a workspace
/// `Cargo.toml` and a `harness` folder.
///
/// # Errors
/// Usage, when there is none.
pub fn find_repo(from: &Path) -> Result<PathBuf> {
    from.ancestors()
        .find(|d| d.join("harness/Cargo.toml").is_file() && d.join("Cargo.toml").is_file())
        .map(Path::to_path_buf)
        .ok_or_else(|| {
            Error::new(Kind::Usage, format!("{} is not inside this repository", from.display()))
                .hint("run `cargo xtask` from a checkout of it")
        })
}
