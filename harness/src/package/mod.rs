//! QEMU with the series as others install it: a Debian package, a tarball for any place, and
//! what makes a container image of that.
//!
//! ```text
//! version    what it is called
//! firmware   what QEMU loads: pinned packages, and boot ROMs of its own source
//! models     which features of SVM each processor model offers, as it says itself
//! tree       both as a folder, with the texts
//! deb        the folder below a prefix of its own, with what it depends on
//! libraries  the shared libraries that stand beside the program in
//! tarball    the folder as it is, to be unpacked anywhere
//! tried      unpacked elsewhere, the example's guest comes through
//! ```

mod deb;
mod firmware;
mod libraries;
mod models;
mod tarball;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod tried;
mod version;

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::host::cache::io_error;
use crate::host::setup::{self, Need};
use crate::mail::Mail;
use crate::qemu::Side;
use crate::qemu::build::patch::{self, Patch};
use crate::qemu::build::{self, Flavour, Spec};
use crate::qemu::source;
use crate::{Env, Error, Kind, Result};

pub use models::MODELS;
pub use version::{NAME, PROGRAM, Version};

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The Debian package.
    Deb,
    /// The tarball, and what makes a container image of it.
    Tarball,
}

impl What {
    /// All of it.
    pub const ALL: [What; 2] = [What::Deb, What::Tarball];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            What::Deb => "deb",
            What::Tarball => "tarball",
        }
    }
}

impl FromStr for What {
    type Err = String;

    fn from_str(s: &str) -> std::result::Result<Self, String> {
        let found = Self::ALL.into_iter().find(|what| what.name() == s);
        found.ok_or_else(|| "it is deb or tarball".to_owned())
    }
}

/// What is packed, and into where.
#[derive(Clone, Debug)]
pub struct Request {
    /// QEMU's source.
    pub source: source::Request,
    /// A folder of patches, instead of the series of this repository.
    pub series: Option<PathBuf>,
    /// The folder that gets the files.
    pub out: PathBuf,
    /// What is made; all of it, if nothing is named.
    pub only: Option<What>,
}

/// A file that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// Where it is.
    pub path: PathBuf,
    /// How long it is.
    pub bytes: u64,
}

/// Makes the packages; QEMU is built if it is not yet.
///
/// # Errors
/// Usage, for a source or a series that cannot be packed; Setup, when the machine lacks something;
/// Build; Regression, when what was packed does not run the example; Harness.
pub fn package(env: &Env, request: &Request) -> Result<Vec<Made>> {
    let wanted = |what| request.only.is_none_or(|only| only == what);
    let patches = check(env, request)?;
    setup::require(env, &[Need::Source, Need::Build, Need::Full, Need::Package])?;
    let source = source::obtain(env, &request.source)?;
    let version = Version::of(&source.version, &patches)?;
    let series = request.series.as_deref();
    let spec = Spec::of_side(env, Side::Patched, source, series, Flavour::Full)?;
    let built = build::build(env, &spec)?;
    let out = &request.out;
    fs::create_dir_all(out).map_err(|e| io_error("creating", out, e))?;
    let tree = tree::Tree::make(env, &spec, &built, version.clone())?;
    let mut made = Vec::new();
    if wanted(What::Deb) {
        env.console.step(format_args!("packing {}", version.deb()));
        made.push(deb::write(&tree, &packer(&patches), out)?);
    }
    if wanted(What::Tarball) {
        env.console.step(format_args!("packing {}", version.tarball()));
        let tarball = tarball::write(&tree, out)?;
        env.console.step("running the example in what was packed");
        tried::run(env, &tarball, &version).inspect_err(|_| {
            // Nobody shall take what does not run.
            let _ = fs::remove_file(&tarball);
        })?;
        made.push(tarball);
        let file = out.join("Containerfile");
        tree::write(&file, text::containerfile(&tree.facts)?.as_bytes())?;
        made.push(file);
    }
    made.iter().map(|path| measured(path)).collect()
}

/// Refuses what can be seen to be wrong before anything is fetched or built, and reads the series.
fn check(env: &Env, request: &Request) -> Result<Vec<Patch>> {
    let qemu = source::version(&request.source)?;
    Flavour::Full.check(&qemu)?;
    let own = env.series_of(&qemu);
    let series = patch::series(request.series.as_deref().unwrap_or(&own))?;
    let patches: Vec<Patch> = series.iter().map(|p| Patch::read(p)).collect::<Result<_>>()?;
    Version::of(&qemu, &patches)?;
    if std::env::consts::ARCH != "x86_64" {
        let what = format!("packages are made on x86-64, and this is {}", std::env::consts::ARCH);
        return Err(Error::new(Kind::Setup, what));
    }
    if !setup::debian_family() {
        let what = "packages are made on Debian and its family: what a library is, and on what \
                    terms it is given, is asked of dpkg";
        return Err(Error::new(Kind::Setup, what));
    }
    Ok(patches)
}

/// Who packs: as dpkg's own tools are told, or who wrote the last patch.
fn packer(patches: &[Patch]) -> String {
    let told = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    if let (Some(name), Some(mail)) = (told("DEBFULLNAME"), told("DEBEMAIL")) {
        return format!("{name} <{mail}>");
    }
    let mut authors = patches.iter().rev().filter_map(|p| Some(Mail::parse(&p.bytes).ok()?.author));
    let found = authors.find(|author| author.contains('<') && !author.contains('\n'));
    found.unwrap_or_else(|| "unknown <unknown@localhost>".to_owned())
}

fn measured(path: &Path) -> Result<Made> {
    let bytes = fs::metadata(path).map_err(|e| io_error("reading", path, e))?.len();
    Ok(Made { path: path.to_owned(), bytes })
}
