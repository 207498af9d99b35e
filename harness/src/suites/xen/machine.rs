//! The machine: Xen, its first domain, and what that has in its initramfs.

use std::ffi::OsString;
use std::path::PathBuf;

use super::packages::Packages;
use crate::host::cache;
use crate::linux::Parts;
use crate::linux::machine::board;
use crate::linux::{initramfs, kernel};
use crate::qemu::Qemu;
use crate::{Error, Kind, Result};

/// A kind of guest: what `type=` says in its configuration, and our name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guest {
    /// No device model, no firmware.
    Pvh,
    /// Firmware and a device model, which is a QEMU in the first domain.
    Hvm,
}

impl Guest {
    /// All, in the order in which they are started.
    pub(super) const ALL: [Guest; 2] = [Guest::Pvh, Guest::Hvm];

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Guest::Pvh => "pvh",
            Guest::Hvm => "hvm",
        }
    }

    /// Its configuration. `tsc_mode`: RDTSC does not exit, so that a guest that
    /// computes is left by interrupts alone.
    fn configuration(self) -> String {
        let kind = self.name();
        let devices = match self {
            Guest::Pvh => "",
            Guest::Hvm => "vga = \"none\"\nsdl = 0\nvnc = 0\nserial = \"none\"\n",
        };
        format!(
            "name = \"{kind}\"\ntype = \"{kind}\"\nkernel = \"/guests/vmlinuz\"\n\
             ramdisk = \"/guests/boot.cpio\"\nmemory = 256\nvcpus = 1\ntsc_mode = \"native\"\n\
             extra = \"console=hvc0 quiet panic=-1 tsc=reliable no_timer_check role=load\"\n\
             on_poweroff = \"destroy\"\non_reboot = \"destroy\"\non_crash = \"destroy\"\n{devices}"
        )
    }
}

/// What is booted, in a folder.
#[derive(Debug)]
pub(super) struct Disk {
    folder: tempfile::TempDir,
}

/// Names in the folder.
const XEN: &str = "xen";
const INITRAMFS: &str = "dom0.cpio";

impl Disk {
    /// Writes the hypervisor and the first domain's initramfs.
    ///
    /// # Errors
    /// Setup, when the packages lack something; Harness, when it cannot be written.
    pub(super) fn write(packages: &Packages, parts: &Parts) -> Result<Self> {
        let doing = "making a folder for Xen";
        let folder =
            tempfile::tempdir().map_err(|e| Error::new(Kind::Harness, doing).because(e))?;
        let disk = Disk { folder };
        cache::write_atomic(&disk.path(XEN)?, &packages.hypervisor()?)?;
        cache::write_atomic(&disk.path(INITRAMFS)?, &first_domain(packages, parts)?)?;
        Ok(disk)
    }

    /// A file in it. QEMU splits what `-initrd` says at spaces and commas.
    fn path(&self, name: &str) -> Result<PathBuf> {
        plain(self.folder.path().join(name))
    }

    /// QEMU's arguments: so many processors, so many rounds.
    ///
    /// # Errors
    /// Setup, when a path cannot be given to QEMU.
    pub(super) fn arguments(
        &self,
        qemu: &Qemu,
        packages: &Packages,
        arguments: &[String],
        rounds: u32,
    ) -> Result<Vec<OsString>> {
        let firmware = qemu.firmware.iter().flat_map(|folder| ["-L".into(), folder.into()]);
        let image = plain(packages.kernel.image.clone())?;
        let initramfs = self.path(INITRAMFS)?;
        let domain = format!(
            "{} console=hvc0 quiet panic=-1 tsc=reliable role=dom0 tools=/{} guests={} \
             rounds={rounds},{}",
            image.display(),
            packages.pin.tools,
            Guest::ALL.map(Guest::name).join(",,"),
            initramfs.display()
        );
        let rest = arguments.iter().map(OsString::from);
        let boot = ["-kernel".into(), self.path(XEN)?.into(), "-initrd".into(), domain.into()];
        Ok(firmware.chain(rest).chain(boot).collect())
    }
}

/// A path without what `-initrd` splits at.
fn plain(path: PathBuf) -> Result<PathBuf> {
    if path.to_string_lossy().contains([' ', ',']) {
        let what = format!("{} has a space or a comma in its name", path.display());
        return Err(Error::new(
            Kind::Setup,
            what + ", which QEMU cannot boot Xen's first domain from",
        )
        .hint("set TMPDIR and --cache to folders without"));
    }
    Ok(path)
}

/// What is the same on every machine: Xen scrubs no memory, which takes long, and
/// prints to the serial port; `panic` ends QEMU (`-no-reboot`).
pub(super) fn arguments(cpu: &str, processors: u32) -> Vec<String> {
    let words = "dom0_mem=1536M,max:1536M com1=115200 console=com1 bootscrub=0";
    board(cpu, processors, "4G", words)
}

/// The first domain's initramfs.
fn first_domain(packages: &Packages, parts: &Parts) -> Result<Vec<u8>> {
    let mut files = packages.files()?;
    for (n, module) in packages.kernel.modules.iter().enumerate() {
        // In the order of loading.
        files.push((format!("modules/{n}-{}", initramfs::name(module)), kernel::read(module)?));
    }
    for guest in Guest::ALL {
        let name = format!("guests/{}.cfg", guest.name());
        files.push((name, guest.configuration().into_bytes()));
    }
    files.push(("guests/vmlinuz".into(), kernel::read(&parts.kernel.image)?));
    files.push(("guests/boot.cpio".into(), initramfs::archive(&parts.program, &[])?));
    files.push(("etc/xen/xl.conf".into(), b"autoballoon = \"off\"\n".to_vec()));
    let entries: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), &**bytes)).collect();
    initramfs::archive(&parts.program, &entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_of_either_kind_computes_and_is_gone_when_it_ends() {
        for guest in Guest::ALL {
            let text = guest.configuration();
            for part in ["role=load", "on_crash = \"destroy\"", "tsc_mode = \"native\""] {
                assert!(text.contains(part), "{text}");
            }
            assert!(text.contains(&format!("type = \"{}\"", guest.name())));
        }
        assert!(!Guest::Pvh.configuration().contains("vga"));
    }

    #[test]
    fn a_path_that_qemu_would_split_is_refused() {
        assert!(plain("folder/x".into()).is_ok());
        for path in ["/a b/x", "/a,b/x"] {
            let e = plain(path.into()).unwrap_err();
            assert_eq!(e.kind(), Kind::Setup);
            assert!(e.to_string().contains("TMPDIR"), "{e}");
        }
    }
}
