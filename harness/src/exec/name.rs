//! How an executor is named on command lines, everywhere the same.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::qemu::Side;

/// The forms, for help texts.
pub const FORMS: &str = "model, qemu:stock, qemu:patched, qemu:PATH, c:stock, c:patched, \
                         c:SOURCE:BUILD";

/// An executor by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// `model`.
    Model,
    /// `qemu:stock`, `qemu:patched`: a QEMU that is built, with the guest.
    Qemu(Side),
    /// `qemu:PATH`: a binary, with the guest.
    Binary(PathBuf),
    /// `c:stock`, `c:patched`: QEMU's C code in process.
    C(Side),
    /// `c:SOURCE:BUILD`: the same from a source tree and the folder in which it
    /// is configured and built.
    Tree {
        /// The source tree.
        source: PathBuf,
        /// The build folder.
        build: PathBuf,
    },
}

impl FromStr for Name {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let (kind, what) = s.split_once(':').unwrap_or((s, ""));
        match (kind, what) {
            ("model", "") if s == "model" => Ok(Name::Model),
            ("qemu" | "c", "") => {
                Err(format!("of which QEMU? one of {kind}:stock, {kind}:patched, or a path"))
            }
            ("qemu", "stock") => Ok(Name::Qemu(Side::Stock)),
            ("qemu", "patched") => Ok(Name::Qemu(Side::Patched)),
            ("qemu", path) => Ok(Name::Binary(path.into())),
            ("c", "stock") => Ok(Name::C(Side::Stock)),
            ("c", "patched") => Ok(Name::C(Side::Patched)),
            ("c", trees) => match trees.split_once(':') {
                Some((source, build)) if !source.is_empty() && !build.is_empty() => {
                    Ok(Name::Tree { source: source.into(), build: build.into() })
                }
                _ => Err("c wants a source tree and a build folder: c:SOURCE:BUILD".into()),
            },
            _ => Err(format!("one of {FORMS}")),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Model => f.write_str("model"),
            Name::Qemu(side) => write!(f, "qemu:{side}"),
            Name::Binary(path) => write!(f, "qemu:{}", path.display()),
            Name::C(side) => write!(f, "c:{side}"),
            Name::Tree { source, build } => {
                write!(f, "c:{}:{}", source.display(), build.display())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_said_again() {
        let forms =
            ["model", "qemu:stock", "qemu:patched", "qemu:/x/y", "c:stock", "c:patched", "c:/a:/b"];
        for form in forms {
            assert_eq!(form.parse::<Name>().unwrap().to_string(), form);
        }
    }

    #[test]
    fn what_is_no_form_is_refused_and_told_what_would_be_one() {
        for (wrong, says) in [
            ("qemu", "qemu:stock"),
            ("c", "c:patched"),
            ("qemu:", "qemu:patched"),
            ("c:/a", "c:SOURCE:BUILD"),
            ("c::/b", "c:SOURCE:BUILD"),
            ("model:", "model, qemu:stock"),
            ("model:x", "model, qemu:stock"),
            ("kvm", "model, qemu:stock"),
            ("", "model, qemu:stock"),
        ] {
            let e = wrong.parse::<Name>().unwrap_err();
            assert!(e.contains(says), "{wrong}: {e}");
        }
    }
}
