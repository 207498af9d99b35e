//! Flavours, and what each gives QEMU's configure.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Kind, Result};

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
    /// With every device, to be installed: what `cargo xtask package` packs.
    Full,
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

/// Of those, what is not for a QEMU with every device.
const SPARING: [&str; 3] =
    ["--without-default-devices", "--with-devices-x86_64=svm", "--disable-kvm"];

/// What of the distribution's own flags is of use where one target is emulated, and
/// is in no package of its own there; docs/package.md says what is left out, and why.
/// The libraries stand beside the binary, where they are not the system's.
const FULL: &[&str] = &[
    "--prefix=/usr/lib/qemu-svm",
    "--disable-debug-info",
    "--enable-trace-backends=log",
    "--extra-ldflags=-Wl,--as-needed,--disable-new-dtags,-rpath,$ORIGIN/../lib",
    "--audio-drv-list=",
    "--enable-kvm",
    "--enable-stack-protector",
    "--enable-malloc-trim",
    "--enable-slirp",
    "--enable-l2tpv3",
    "--enable-colo-proxy",
    "--enable-pixman",
    "--enable-png",
    "--enable-vnc",
    "--enable-vnc-jpeg",
    "--enable-curses",
    "--enable-iconv",
    "--enable-linux-aio",
    "--enable-linux-io-uring",
    "--enable-zstd",
    "--enable-seccomp",
    "--enable-attr",
    "--enable-cap-ng",
    "--enable-virtfs",
    "--enable-libusb",
    "--enable-usb-redir",
    "--enable-capstone",
    "--enable-gnutls",
    "--enable-nettle",
    "--enable-keyring",
    "--enable-numa",
    "--enable-fdt=system",
    "--enable-hv-balloon",
    "--enable-multiprocess",
    "--enable-vhost-kernel",
    "--enable-vhost-net",
    "--enable-vhost-vdpa",
    "--enable-vhost-user",
    "--enable-vhost-user-blk-server",
    "--enable-vhost-crypto",
    "--enable-replication",
    "--enable-bochs",
    "--enable-cloop",
    "--enable-dmg",
    "--enable-parallels",
    "--enable-qcow1",
    "--enable-qed",
    "--enable-vdi",
    "--enable-vhdx",
    "--enable-vmdk",
    "--enable-vpc",
    "--enable-vvfat",
];

/// The first version whose configure knows [`FULL`].
const OLDEST_FULL: u32 = 10;

impl Flavour {
    /// Every flavour.
    pub const ALL: [Flavour; 6] = [
        Flavour::Release,
        Flavour::Debug,
        Flavour::Asan,
        Flavour::Gcov,
        Flavour::Trace,
        Flavour::Full,
    ];

    /// Its name on the command line and in the cache.
    pub const fn name(self) -> &'static str {
        match self {
            Flavour::Release => "release",
            Flavour::Debug => "debug",
            Flavour::Asan => "asan",
            Flavour::Gcov => "gcov",
            Flavour::Trace => "trace",
            Flavour::Full => "full",
        }
    }

    /// Refuses what QEMU of this version cannot be.
    ///
    /// # Errors
    /// Usage.
    pub fn check(self, version: &str) -> Result<()> {
        let major = version.split('.').next().and_then(|number| number.parse::<u32>().ok());
        if self == Flavour::Full && major.is_some_and(|major| major < OLDEST_FULL) {
            let what = format!("QEMU {version} cannot be built with every device");
            let hint = format!("its configure knows other flags than that of {OLDEST_FULL}.0");
            return Err(Error::new(Kind::Usage, what).hint(hint));
        }
        Ok(())
    }

    /// What configure is given, but for paths of this machine.
    pub fn configure(self) -> Vec<&'static str> {
        let kept = |flag: &&&str| self != Flavour::Full || !SPARING.contains(*flag);
        let own: &[&str] = match self {
            Flavour::Release => &["--disable-debug-info", "--enable-trace-backends=nop"],
            Flavour::Debug => &["--enable-debug"],
            Flavour::Asan => &["--enable-asan", "--enable-ubsan"],
            Flavour::Gcov => &["--enable-gcov"],
            Flavour::Trace => &["--disable-debug-info", "--enable-trace-backends=log"],
            Flavour::Full => FULL,
        };
        COMMON.iter().filter(kept).chain(own).copied().collect()
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Flavour {
    type Err = String;

    fn from_str(s: &str) -> std::result::Result<Self, String> {
        Self::ALL.into_iter().find(|f| f.name() == s).ok_or_else(|| {
            format!("no such flavour; one of: {}", Self::ALL.map(Flavour::name).join(" "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_version_cannot_have_every_device() {
        assert_eq!(Flavour::Full.check("7.2.22").unwrap_err().kind(), Kind::Usage);
        assert_eq!(Flavour::Full.check("9.2.4").unwrap_err().kind(), Kind::Usage);
        for version in ["10.0.13", "10.2.2", "11.0.50"] {
            Flavour::Full.check(version).unwrap();
        }
        Flavour::Release.check("7.2.22").unwrap();
    }

    #[test]
    fn only_the_full_one_has_every_device_and_no_flag_is_given_twice() {
        for flavour in Flavour::ALL {
            let flags = flavour.configure();
            let sparing = SPARING.iter().filter(|flag| flags.contains(flag)).count();
            let few = if flavour == Flavour::Full { 0 } else { SPARING.len() };
            assert_eq!(sparing, few, "{flavour}");
            assert!(flags.contains(&"--without-default-features"), "{flavour}");
            let mut once = flags.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), flags.len(), "{flavour}");
        }
    }
}
