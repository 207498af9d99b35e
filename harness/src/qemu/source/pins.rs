//! The QEMU versions this project knows: `harness/data/qemu-sources.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::host::error::Context;
use crate::{Error, Kind, Result};

/// The file, as it is compiled in.
pub(crate) const TEXT: &str = include_str!("../../../data/qemu-sources.toml");

/// All pinned versions and where they come from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    /// The version that is used when none is named.
    pub default: String,
    /// Upstream's repository.
    pub upstream: Upstream,
    /// The distribution's archive.
    pub debian: Debian,
    /// The versions.
    #[serde(rename = "base")]
    pub bases: Vec<Base>,
}

/// Upstream's repository.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// What `git fetch` is given.
    pub url: String,
}

/// The distribution's archive.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Debian {
    /// Is the machine's apt, where there is one, asked first?
    pub apt: bool,
    /// Addresses of one file; `{mirror}`, `{snapshot}`, `{directory}`, `{name}` and
    /// `{sha1}` are filled in.
    pub archives: Vec<String>,
}

/// One version.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// What `--base` is given.
    pub version: String,
    /// Upstream's tag.
    pub tag: String,
    /// The version of meson that its configure is given.
    pub meson: String,
    /// How its configure is told where meson is; `{python}` and `{meson}` are
    /// filled in.
    pub interpreter: String,
    /// What else its configure is given, such as not to fetch anything.
    pub configure: Vec<String>,
    /// Does it want libraries that later versions do without?
    #[serde(default)]
    pub older: bool,
    /// The distribution's release that has the package.
    pub suite: String,
    /// The package's version.
    pub package: String,
    /// The package's folder on a mirror.
    pub directory: String,
    /// meson subprojects that a git checkout lacks.
    #[serde(default)]
    pub wraps: Vec<String>,
    /// git submodules that a git checkout lacks.
    #[serde(default)]
    pub submodules: Vec<String>,
    /// git tree ids, by folder.
    pub trees: BTreeMap<String, String>,
    /// The package's files.
    pub files: Vec<File>,
}

/// One file of a source package.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name on the mirror.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// What it must hash to.
    pub sha256: String,
    /// What snapshot archives call it.
    pub sha1: String,
}

impl Pins {
    /// The pins this crate was built with.
    ///
    /// # Errors
    /// Harness, when the file is malformed (a test reads it too).
    pub fn builtin() -> Result<Self> {
        toml::from_str(TEXT)
            .doing(Kind::Harness, || "reading harness/data/qemu-sources.toml".into())
    }

    /// The version `name`, or the default one.
    ///
    /// # Errors
    /// Usage, listing the known versions.
    pub fn base(&self, name: Option<&str>) -> Result<&Base> {
        let name = name.unwrap_or(&self.default);
        self.bases.iter().find(|b| b.version == name).ok_or_else(|| {
            let known: Vec<_> = self.bases.iter().map(|b| b.version.as_str()).collect();
            Error::new(Kind::Usage, format!("QEMU {name} is not a base this project knows")).hint(
                format!(
                    "known: {}; any other tree can be named with --qemu-src DIR",
                    known.join(", ")
                ),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pins_are_well_formed_and_complete() {
        let pins = Pins::builtin().unwrap();
        pins.base(None).unwrap();
        for base in &pins.bases {
            let ends: Vec<_> = [".orig.tar.xz", ".debian.tar.xz", ".dsc"]
                .iter()
                .map(|end| base.files.iter().filter(|f| f.name.ends_with(end)).count())
                .collect();
            assert_eq!(ends, [1, 1, 1], "{}", base.version);
            for file in &base.files {
                assert_eq!((file.sha256.len(), file.sha1.len()), (64, 40), "{}", file.name);
            }
            assert!(base.trees.contains_key("target/i386"), "{}", base.version);
        }
    }

    #[test]
    fn an_unknown_version_is_a_usage_error_that_names_the_known_ones() {
        let e = Pins::builtin().unwrap().base(Some("9.9")).unwrap_err();
        assert_eq!(e.kind(), Kind::Usage);
        assert!(e.to_string().contains("10.2.2, 10.0.13, 7.2"), "{e}");
    }
}
