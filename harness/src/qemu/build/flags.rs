//! Flavours, and what each gives QEMU's configure.

use std::fmt;
use std::str::FromStr;

/// How QEMU is compiled.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Flavour {
    /// Optimised, without debug information: what suites are run on.
    #[default]
    Release,
    /// Not optimised, with debug information and TCG's own checks.
    Debug,
    /// With the address and undefined-behaviour sanitizers.
    Asan,
    /// Counts which lines run.
    Gcov,
    /// As release, with QEMU's trace events in its log (`-trace`).
    Trace,
}

/// The devices file, in QEMU's own format.
pub(crate) const DEVICES: &str = include_str!("../../../data/svm.mak");

/// Its place in the tree; configure is told the name without `.mak`.
pub(super) const DEVICES_FILE: &str = "configs/devices/x86_64-softmmu/svm.mak";

/// What is built.
pub(super) const TARGET: &str = "qemu-system-x86_64";

/// One target, TCG, system emulation, and nothing that is on by default: each
/// suite was run with this. What it saves is in docs/build.md.
const COMMON: &[&str] = &[
    "--target-list=x86_64-softmmu",
    "--without-default-features",
    "--without-default-devices",
    "--with-devices-x86_64=svm",
    "--enable-system",
    "--disable-user",
    "--enable-tcg",
    "--disable-kvm",
    "--disable-tools",
    "--disable-docs",
    "--disable-guest-agent",
    "--disable-werror",
    "--disable-install-blobs",
    // Fixed, so that no commit of ours makes version.h, and all that reads it, new.
    "--with-pkgversion=qemu-svm",
];

impl Flavour {
    /// Every flavour.
    pub const ALL: [Flavour; 5] =
        [Flavour::Release, Flavour::Debug, Flavour::Asan, Flavour::Gcov, Flavour::Trace];

    /// Its name on the command line and in the cache.
    pub const fn name(self) -> &'static str {
        match self {
            Flavour::Release => "release",
            Flavour::Debug => "debug",
            Flavour::Asan => "asan",
            Flavour::Gcov => "gcov",
            Flavour::Trace => "trace",
        }
    }

    /// What configure is given, but for paths of this machine.
    pub fn configure(self) -> Vec<&'static str> {
        let own: &[&str] = match self {
            Flavour::Release => &["--disable-debug-info", "--enable-trace-backends=nop"],
            Flavour::Debug => &["--enable-debug"],
            Flavour::Asan => &["--enable-asan", "--enable-ubsan"],
            Flavour::Gcov => &["--enable-gcov"],
            Flavour::Trace => &["--disable-debug-info", "--enable-trace-backends=log"],
        };
        [COMMON, own].concat()
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Flavour {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|f| f.name() == s).ok_or_else(|| {
            format!("no such flavour; one of: {}", Self::ALL.map(Flavour::name).join(" "))
        })
    }
}
