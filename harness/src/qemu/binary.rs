//! A QEMU binary under test, and what identifies it.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::host::child;
use crate::host::error::Context;
use crate::host::regular;
use crate::qemu::build::{Built, Flavour};
use crate::{Error, Kind, Result};

/// Which side of a comparison a build is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// QEMU as released.
    Stock,
    /// With the series of this repository.
    Patched,
}

impl Side {
    /// `stock` or `patched`.
    pub const fn name(self) -> &'static str {
        match self {
            Side::Stock => "stock",
            Side::Patched => "patched",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a series was when it was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// A digest of what its patches change.
    pub hash: String,
    /// How many they are.
    pub patches: usize,
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} patches, {}", self.patches, self.hash)
    }
}

/// What identifies a build in every file; free of paths and of dates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildIdentity {
    /// `stock-10.2.2`, `patched-10.2.2`: the folder under `results/`.
    pub name: String,
    /// Stock or patched.
    pub side: Side,
    /// The first line of `--version`, without the program's name.
    pub qemu: String,
    /// The series; none for stock or for a binary of unknown making.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Series>,
    /// The compiler that built it, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compiler: Option<String>,
}

/// A binary that can be started.
#[derive(Clone, Debug)]
pub struct Qemu {
    /// What it is.
    pub build: BuildIdentity,
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 of the binary, in hexadecimal.
    pub digest: String,
    /// Directories for `-L`.
    pub firmware: Vec<PathBuf>,
}

impl Qemu {
    /// The binary that was built, with what its builder knows about it.
    ///
    /// # Errors
    /// As [`Qemu::inspect`].
    pub fn built(side: Side, built: &Built) -> Result<Self> {
        let mut qemu = Self::inspect(side, &built.path)?;
        let flavour = match built.flavour {
            Flavour::Release => String::new(),
            other => format!("-{other}"),
        };
        let series = Series { hash: built.series_hash.clone(), patches: built.patches.len() };
        qemu.build = BuildIdentity {
            name: format!("{side}-{}{flavour}", built.qemu_version),
            side,
            qemu: built.qemu_version.clone(),
            series: (side == Side::Patched).then_some(series),
            compiler: Some(built.compiler.clone()),
        };
        qemu.firmware.clone_from(&built.firmware);
        Ok(qemu)
    }

    /// A binary that was named. Where a build of ours has its record beside it,
    /// it is known for what it is; it runs with the system's firmware.
    ///
    /// # Errors
    /// As [`Qemu::inspect`].
    pub fn given(side: Side, path: &Path) -> Result<Self> {
        // The record is beside the binary, not beside a link to it.
        let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
        match Built::beside(path) {
            Some(built) if built.patches.is_empty() == (side == Side::Stock) => {
                Self::built(side, &Built { firmware: firmware(), ..built })
            }
            _ => Self::inspect(side, path),
        }
    }

    /// A binary of which nobody says what it is: what its record says, where a
    /// build of ours has one beside it, else one that was changed.
    ///
    /// # Errors
    /// As [`Qemu::inspect`].
    pub fn named(path: &Path) -> Result<Self> {
        let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let stock = Built::beside(path).is_some_and(|built| built.patches.is_empty());
        Self::given(if stock { Side::Stock } else { Side::Patched }, path)
    }

    /// Asks the binary at `path` for its version and hashes it.
    ///
    /// # Errors
    /// Usage, when there is no such file or it is no QEMU.
    pub fn inspect(side: Side, path: &Path) -> Result<Self> {
        let no_qemu = |why: String| {
            Error::new(Kind::Usage, format!("using {} as QEMU: {why}", path.display()))
                .hint("give the path of a qemu-system-x86_64 binary")
        };
        let path = path.canonicalize().map_err(|e| no_qemu(e.to_string()))?;
        let digest = digest(&path)?;
        let text = child::ask(&path, &["--version"])?;
        let line = text.lines().next().unwrap_or_default();
        let version = line
            .strip_prefix("QEMU emulator version ")
            .ok_or_else(|| no_qemu(format!("`--version` says {line:?}")))?;
        let number = version.split_whitespace().next().unwrap_or(version);
        let build = BuildIdentity {
            name: format!("{side}-{number}"),
            side,
            qemu: version.to_owned(),
            series: None,
            compiler: None,
        };
        Ok(Qemu { build, path, digest, firmware: firmware() })
    }

    /// Whether it has these devices: the first that it lacks. A QEMU that does not say has all,
    /// until a test shows otherwise: that a patch keeps it from answering is the patch's fault,
    /// not that of whoever asks.
    ///
    /// # Errors
    /// Interrupted.
    pub fn lacks<'a>(&self, devices: &[&'a str]) -> Result<Option<&'a str>> {
        let has = match child::ask(&self.path, &["-device", "help"]) {
            Err(e) if e.kind() == Kind::Interrupted => return Err(e),
            Err(_) => return Ok(None),
            Ok(has) => has,
        };
        Ok(devices.iter().copied().find(|device| !has.contains(&format!("\"{device}\""))))
    }
}

/// Where distributions put SeaBIOS and QEMU's option ROMs.
fn firmware() -> Vec<PathBuf> {
    let system = ["/usr/share/seabios", "/usr/share/qemu"].map(PathBuf::from);
    system.into_iter().filter(|dir| dir.is_dir()).collect()
}

/// SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// When the file cannot be read.
pub fn digest(path: &Path) -> Result<String> {
    let doing = || format!("reading {}", path.display());
    let mut file = regular::open(path).doing(Kind::Usage, doing)?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block).doing(Kind::Harness, doing)? {
            0 => return Ok(format!("{:x}", hash.finalize())),
            n => hash.update(&block[..n]),
        }
    }
}
