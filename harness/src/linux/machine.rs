//! One QEMU with a Linux guest.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::said;
use crate::host::cache::io_error;
use crate::host::launch::{self, Finished};
use crate::qemu::Qemu;
use crate::{Error, Kind, Result};

/// What is booted.
#[derive(Clone, Debug)]
pub struct Boot<'a> {
    /// The kernel's image.
    pub kernel: &'a Path,
    /// Its initramfs.
    pub initramfs: &'a Path,
    /// What `-cpu` is given.
    pub cpu: &'a str,
    /// Memory, in MiB.
    pub memory: u32,
    /// What our program is told to do.
    pub role: &'a str,
    /// How long it may take.
    pub limit: Duration,
}

/// What every kernel of ours is told. `panic=-1` and `-no-reboot`: a kernel that
/// panics ends QEMU. `nokaslr`: each boot does the same. `tsc=reliable` and
/// `no_timer_check`: a busy host makes QEMU's timers late, from which Linux
/// concludes that its TSC is bad, or panics since "IO-APIC + timer doesn't work".
pub const WORDS: &str = "console=ttyS0 panic=-1 nokaslr tsc=reliable no_timer_check";

/// A machine without devices but for the serial port, on QEMU's standard output, that is told
/// `words`.
pub fn board(cpu: &str, processors: u32, memory: &str, words: &str) -> Vec<String> {
    let processors = processors.to_string();
    let args = [
        "-nodefaults",
        "-no-user-config",
        "-no-reboot",
        "-display",
        "none",
        "-machine",
        "pc,accel=tcg",
        "-cpu",
        cpu,
        "-smp",
        &processors,
        "-m",
        memory,
        "-serial",
        "stdio",
        "-append",
        words,
    ];
    args.map(String::from).to_vec()
}

impl Boot<'_> {
    /// The command line on that QEMU.
    pub fn command(&self, qemu: &Qemu) -> Command {
        let mut command = Command::new(&qemu.path);
        for folder in &qemu.firmware {
            command.arg("-L").arg(folder);
        }
        let memory = format!("{}M", self.memory);
        command.args(board(self.cpu, 1, &memory, &format!("{WORDS} role={}", self.role)));
        command.arg("-kernel").arg(self.kernel).arg("-initrd").arg(self.initramfs);
        command
    }
}

/// Boots it until our program says `last`, and keeps the console in `log`.
///
/// # Errors
/// Harness, when it never says that, with the log's path; Interrupted.
pub fn run(boot: &Boot<'_>, qemu: &Qemu, last: &str, log: &Path) -> Result<Finished> {
    let mut file = File::create(log).map_err(|e| io_error("writing", log, e))?;
    let keep = |line: &str| {
        // A full disk does not end the guest; the lines are in memory too.
        let _ = writeln!(file, "{line}");
        said::ends(line, last)
    };
    let pointed = |e: Error| match e.kind() {
        Kind::Interrupted => e,
        _ => e.hint(format!("its console is in {}", log.display())),
    };
    let ended = launch::run(&mut boot.command(qemu), boot.limit, keep).map_err(pointed)?;
    said::words(&ended, last).map_err(pointed)?;
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::qemu::{BuildIdentity, Side};

    /// Boots on a QEMU that is a shell script.
    fn boot(script: &str, limit: Duration) -> (Result<Finished>, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("qemu");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let build = BuildIdentity {
            name: "stock-1".into(),
            side: Side::Stock,
            qemu: "1".into(),
            series: None,
            compiler: None,
        };
        let qemu = Qemu { build, path, digest: String::new(), firmware: vec!["/firmware".into()] };
        let (kernel, initramfs) = (Path::new("/vmlinuz"), Path::new("/boot.cpio"));
        let boot = Boot { kernel, initramfs, cpu: "max", memory: 64, role: "boot", limit };
        let log = dir.path().join("console.log");
        let ended = run(&boot, &qemu, "up", &log);
        (ended, std::fs::read_to_string(&log).unwrap())
    }

    #[test]
    fn a_guest_that_says_its_word_has_booted() {
        let script = "echo \"$@\"; echo svm-bench: up; exec sleep 1000";
        let (ended, log) = boot(script, Duration::from_secs(60));
        assert_eq!(ended.unwrap().lines.len(), 2);
        for part in ["-L /firmware", "-m 64M", "-kernel /vmlinuz -initrd /boot.cpio", "role=boot"] {
            assert!(log.contains(part), "{part}: {log}");
        }
    }

    #[test]
    fn one_that_does_not_is_named_with_its_last_line_and_its_console() {
        let hangs = "echo Decompressing Linux; exec sleep 1000";
        let (ended, log) = boot(hangs, Duration::from_millis(300));
        let e = ended.unwrap_err().to_string();
        assert!(e.contains("no end after") && e.contains("Decompressing Linux"), "{e}");
        assert!(e.contains("console.log") && log == "Decompressing Linux\n", "{e} {log}");
        let (ended, _) = boot("echo Kernel panic", Duration::from_secs(60));
        let e = ended.unwrap_err().to_string();
        assert!(e.contains("Kernel panic") && e.contains("console.log"), "{e}");
    }
}
