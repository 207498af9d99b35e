//! What booting a Linux in which nobody uses SVM costs: the series must not be
//! felt there. Once with a CPU that has no SVM, once with one that has.

use std::path::PathBuf;
use std::time::Duration;

use super::{Probe, Reading, Unit};
use crate::host::cache;
use crate::linux::kernel::Kernel;
use crate::linux::machine::{self, Boot};
use crate::linux::{Parts, initramfs, said};
use crate::qemu::Qemu;
use crate::{Env, Result};

/// What our program says when the kernel has started it.
pub const UP: &str = "up";
/// The names of the CPUs' measures, and the CPUs.
const CPUS: [(&str, &str); 2] = [("no-svm", "max"), ("svm", "max,+svm")];
/// A boot takes some five seconds of a free core.
const LIMIT: Duration = Duration::from_secs(300);
/// In MiB.
const MEMORY: u32 = 512;

/// The probe.
#[derive(Debug)]
pub struct LinuxBoot {
    kernel: Kernel,
    initramfs: PathBuf,
    consoles: PathBuf,
}

impl LinuxBoot {
    /// Gets the kernel and makes its initramfs.
    ///
    /// # Errors
    /// As [`Parts::obtain`].
    pub fn open(env: &Env) -> Result<Self> {
        let Parts { kernel, program } = Parts::obtain(env)?;
        let initramfs = env.cache.dir("linux")?.join("boot.cpio");
        cache::write_atomic(&initramfs, &initramfs::archive(&program, &[])?)?;
        Ok(LinuxBoot { kernel, initramfs, consoles: env.cache.dir("linux/consoles")? })
    }
}

impl Probe for LinuxBoot {
    fn round(&self, qemu: &Qemu) -> Result<Vec<Reading>> {
        let mut readings = Vec::new();
        for (name, cpu) in CPUS {
            let boot = Boot {
                kernel: &self.kernel.image,
                initramfs: &self.initramfs,
                cpu,
                memory: MEMORY,
                role: "boot",
                limit: LIMIT,
            };
            let log = self.consoles.join(format!("{}-boot-{name}.log", qemu.build.name));
            let ended = machine::run(&boot, qemu, UP, &log)?;
            let up = said::when(&said::words(&ended, UP)?, UP)?;
            let cpu = ended.usage.cpu;
            readings.push(Reading::new(format!("linux-boot/{name}"), Unit::Seconds, up));
            readings.push(Reading::new(format!("linux-boot/{name}-cpu"), Unit::Seconds, cpu));
            let memory = ended.usage.peak_rss as f64;
            readings.push(Reading::new(format!("memory/linux-boot-{name}"), Unit::Bytes, memory));
        }
        Ok(readings)
    }
}
