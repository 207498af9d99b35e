//! Finished binaries, kept under the hash of what made them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::flags::{DEVICES, Flavour, TARGET};
use crate::host::cache::{io_error, write_atomic};
use crate::host::error::Context;
use crate::host::hash;
use crate::host::regular;
use crate::{Env, Kind, Result};

/// A built QEMU and what made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// The binary.
    #[serde(skip)]
    pub path: PathBuf,
    /// The hash of all that follows; two builds with one id are one build.
    pub id: String,
    /// What QEMU's `VERSION` says.
    pub qemu_version: String,
    /// The base's git tree id.
    pub base: String,
    /// What the series changes, or `stock`.
    pub series_hash: String,
    /// The names of the patches, in order.
    pub patches: Vec<String>,
    /// How it was compiled.
    pub flavour: Flavour,
    /// The compiler's own first line.
    pub compiler: String,
    /// What the sandbox refused, if it was built in one: to be told each time.
    #[serde(default)]
    pub refused: Option<Vec<String>>,
    /// Folders for `-L`, in order.
    #[serde(skip)]
    pub firmware: Vec<PathBuf>,
}

/// Changes when the meaning of an id does.
const ID_VERSION: &str = "1";

impl Built {
    /// Fills in the id.
    pub(super) fn identified(mut self) -> Self {
        let flags = self.flavour.configure().join(" ");
        let id = hash::of_parts([
            ID_VERSION,
            &self.base,
            &self.series_hash,
            &flags,
            DEVICES,
            self.flavour.name(),
            &self.compiler,
        ]);
        self.id = id[..16].to_string();
        self
    }

    /// What made the binary at `path`, where its record is beside it, as in the
    /// cache or in a copy of its folder. Says nothing of firmware.
    pub fn beside(path: &Path) -> Option<Built> {
        let record = regular::read(&path.with_file_name(RECORD)).ok()?;
        let built = serde_json::from_slice::<Built>(&record).ok()?;
        Some(Built { path: path.to_owned(), ..built })
    }

    /// This build, if the cache has it in `store`.
    pub(super) fn found(&self, env: &Env, store: &str) -> Option<Built> {
        let dir = folder(env, store, &self.id);
        let record = regular::read(&dir.join(RECORD)).ok()?;
        let refused = serde_json::from_slice::<Built>(&record).ok()?.refused;
        if store == APART && refused.is_none() {
            return None;
        }
        let path = dir.join(TARGET);
        path.is_file().then(|| Built { path, refused, ..self.clone() })
    }

    /// Keeps `binary` in `store`: the folder appears whole or not at all.
    ///
    /// # Errors
    /// Harness, when it cannot be written.
    pub(super) fn keep(&self, env: &Env, store: &str, binary: &Path) -> Result<Built> {
        let dir = folder(env, store, &self.id);
        let parent = env.cache.dir(store)?;
        let fresh = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(&parent)
            .map_err(|e| io_error("creating a folder in", &parent, e))?;
        let copy = fresh.path().join(TARGET);
        // A build that means ill may leave a link or a pipe in its place.
        copy_itself(binary, &copy).map_err(|e| io_error("copying the binary to", &copy, e))?;
        let record = serde_json::to_vec_pretty(self)
            .doing(Kind::Harness, || "writing the build's record".into())?;
        write_atomic(&fresh.path().join(RECORD), &record)?;
        set_readable(fresh.path())?;
        let _ = fs::remove_dir_all(&dir);
        fs::rename(fresh.keep(), &dir).map_err(|e| io_error("writing", &dir, e))?;
        Ok(Built { path: dir.join(TARGET), ..self.clone() })
    }
}

const RECORD: &str = "build.json";

/// Binaries that were built without a sandbox: stock, and our own series.
pub(super) const OURS: &str = "bin";
/// Binaries that were built in one.
pub(super) const APART: &str = "bin-apart";

fn folder(env: &Env, store: &str, id: &str) -> PathBuf {
    env.cache.path(store).join(id)
}

/// Copies a regular file, and nothing that it leads to; the copy can be run.
pub(super) fn copy_itself(from: &Path, to: &Path) -> io::Result<()> {
    let mut from = regular::open_itself(from)?;
    let mut new = fs::File::create(to)?;
    io::copy(&mut from, &mut new)?;
    new.set_permissions(PermissionsExt::from_mode(0o755))
}

/// Temporary folders are private; what they become need not be.
fn set_readable(dir: &Path) -> Result<()> {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))
        .map_err(|e| io_error("opening up", dir, e))
}
