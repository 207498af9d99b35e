//! What exits and whole guests cost under Linux's KVM as L1, as far as L2 and L1's
//! clock can tell: a distribution's kernel with its KVM modules, and a small VMM of
//! ours (`harness/linux`).

use std::path::PathBuf;
use std::time::Duration;

use super::linux_boot::UP;
use super::{Probe, Reading, Unit};
use crate::host::cache;
use crate::host::launch::Finished;
use crate::linux::kernel::{self, Kernel};
use crate::linux::machine::{self, Boot};
use crate::linux::{Parts, initramfs, said};
use crate::qemu::Qemu;
use crate::{Env, Result};

/// What our program in L1 says when it has done what it was told to do, and when
/// it starts L2's kernel.
const DONE: &str = "done";
const START: &str = "l2-start";
/// The exits that it times, as it names them (`harness/linux/src/exits.rs`).
const EXITS: [&str; 7] = ["cpuid", "in", "mmio", "npf", "out", "rdmsr", "vmmcall"];
/// L1 alone takes some ten seconds of a free core, L2 on stock another ten.
const LIMIT: Duration = Duration::from_secs(600);
/// L1's memory, in MiB; L2 has 256 of it.
const MEMORY: u32 = 1024;

/// An L1, ready to be booted.
#[derive(Debug)]
struct L1 {
    kernel: Kernel,
    initramfs: PathBuf,
    consoles: PathBuf,
}

impl L1 {
    fn open(env: &Env) -> Result<Self> {
        let Parts { kernel, program } = Parts::obtain(env)?;
        let mut files = vec![
            ("vmlinuz".to_owned(), kernel::read(&kernel.image)?),
            ("boot.cpio".to_owned(), initramfs::archive(&program, &[])?),
        ];
        for module in &kernel.modules {
            files.push((initramfs::name(module), kernel::read(module)?));
        }
        let entries: Vec<_> = files.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
        let initramfs = env.cache.dir("linux")?.join("kvm.cpio");
        cache::write_atomic(&initramfs, &initramfs::archive(&program, &entries)?)?;
        Ok(L1 { kernel, initramfs, consoles: env.cache.dir("linux/consoles")? })
    }

    fn run(&self, qemu: &Qemu, role: &str) -> Result<Finished> {
        let boot = Boot {
            kernel: &self.kernel.image,
            initramfs: &self.initramfs,
            cpu: "max,+svm",
            memory: MEMORY,
            role,
            limit: LIMIT,
        };
        let log = self.consoles.join(format!("{}-kvm-{role}.log", qemu.build.name));
        machine::run(&boot, qemu, DONE, &log)
    }
}

/// The probe of exits.
#[derive(Debug)]
pub struct Exits(L1);

/// The probe of a Linux L2.
#[derive(Debug)]
pub struct Guest(L1);

impl Exits {
    /// Gets the kernel and makes L1's initramfs.
    ///
    /// # Errors
    /// As [`Parts::obtain`].
    pub fn open(env: &Env) -> Result<Self> {
        L1::open(env).map(Exits)
    }
}

impl Guest {
    /// As [`Exits::open`].
    ///
    /// # Errors
    /// As [`Parts::obtain`].
    pub fn open(env: &Env) -> Result<Self> {
        L1::open(env).map(Guest)
    }
}

impl Probe for Exits {
    fn round(&self, qemu: &Qemu) -> Result<Vec<Reading>> {
        let ended = self.0.run(qemu, "exits")?;
        exits(&said::words(&ended, DONE)?)
    }
}

impl Probe for Guest {
    fn round(&self, qemu: &Qemu) -> Result<Vec<Reading>> {
        let ended = self.0.run(qemu, "l2")?;
        let mut readings = guest(&said::words(&ended, DONE)?)?;
        let memory = ended.usage.peak_rss as f64;
        readings.push(Reading::new("memory/linux-kvm", Unit::Bytes, memory));
        Ok(readings)
    }
}

fn exits(said: &[(f64, &str)]) -> Result<Vec<Reading>> {
    let reading = |name: &&str| {
        let value = said::figure(said, &format!("exit-{name}"))?;
        Ok(Reading::new(format!("linux-kvm/exit-{name}"), Unit::Nanoseconds, value))
    };
    EXITS.iter().map(reading).collect()
}

/// From L2's first instruction to the word of its first process.
fn guest(said: &[(f64, &str)]) -> Result<Vec<Reading>> {
    let took = said::when(said, UP)? - said::when(said, START)?;
    Ok(vec![Reading::new("linux-kvm/boot", Unit::Seconds, took)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_exit_has_a_reading_and_one_that_is_lacking_is_named() {
        let texts: Vec<String> =
            EXITS.iter().enumerate().map(|(n, exit)| format!("exit-{exit} {n}.5")).collect();
        let said: Vec<(f64, &str)> = texts.iter().map(|text| (1.0, text.as_str())).collect();
        let readings = exits(&said).unwrap();
        assert_eq!(readings.len(), EXITS.len());
        assert_eq!((readings[0].name.as_str(), readings[0].value), ("linux-kvm/exit-cpuid", 0.5));
        let e = exits(&said[1..]).unwrap_err().to_string();
        assert!(e.contains("exit-cpuid"), "{e}");
    }

    #[test]
    fn l2s_boot_is_between_its_start_and_its_word() {
        let said = [(10.0, START), (14.5, UP), (14.6, DONE)];
        assert_eq!(guest(&said).unwrap()[0].value, 4.5);
        assert!(guest(&said[1..]).unwrap_err().to_string().contains(START));
    }
}
