//! Linux's KVM as L1: a Linux L2 computes, and processes of L1 are put under stress
//! beside it.

use std::ffi::OsString;
use std::time::Duration;

use super::{judge, measure, planned};
use crate::host::cache;
use crate::host::hash;
use crate::linux::machine::{WORDS, board};
use crate::linux::{Parts, initramfs, kernel};
use crate::qemu::Qemu;
use crate::suites::fetched::opened;
use crate::suites::{Config, Job, Observation, Opened, Options, Suite, SuiteIdentity, Work};
use crate::{Env, Error, Kind, Result};

/// The suite's name.
pub const NAME: &str = "linux-kvm";

/// No machine takes that long for all rounds.
const TIMEOUT: Duration = Duration::from_secs(1200);
/// Rounds of each kind of stress, in each process.
const ROUNDS: u32 = 100;
/// The configurations: name, processors, `-cpu`.
const CONFIGS: [(&str, u32, &str); 2] =
    [("linux-kvm", 2, "max,+svm"), ("linux-kvm-1cpu", 1, "max,+svm")];

/// What is booted.
struct LinuxKvm {
    identity: SuiteIdentity,
    parts: Parts,
    timeout: Duration,
}

/// Fetches the kernel and compiles what runs in L1 and L2.
///
/// # Errors
/// Build, when that does not compile; Setup, when the suite is required and its
/// kernel cannot be had.
pub fn open(options: &Options) -> Result<Opened> {
    opened(NAME, options, obtain)
}

fn obtain(env: &Env, options: &Options) -> Result<LinuxKvm> {
    let parts = Parts::obtain(env)?;
    let version =
        format!("Linux {}, {}", parts.kernel.release, &hash::of_parts([&parts.program])[..16]);
    let identity = SuiteIdentity { name: NAME.into(), version };
    Ok(LinuxKvm { identity, parts, timeout: options.timeout.unwrap_or(TIMEOUT) })
}

/// QEMU's arguments without paths.
fn arguments(cpu: &str, processors: u32) -> Vec<String> {
    board(cpu, processors, "1G", &format!("{WORDS} role=beside rounds={ROUNDS}"))
}

/// L1's initramfs: KVM's modules, and what L2 boots.
fn l1(parts: &Parts) -> Result<Vec<u8>> {
    let mut files = vec![
        ("vmlinuz".to_owned(), kernel::read(&parts.kernel.image)?),
        ("boot.cpio".to_owned(), initramfs::archive(&parts.program, &[])?),
    ];
    for module in &parts.kernel.modules {
        files.push((initramfs::name(module), kernel::read(module)?));
    }
    let entries: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), &**bytes)).collect();
    initramfs::archive(&parts.program, &entries)
}

/// Every test, in the order in which they are seen.
fn tests() -> Vec<String> {
    let mut tests = judge::stressed("alone");
    tests.extend(judge::guest("kvm"));
    tests
}

impl Suite for LinuxKvm {
    fn identity(&self) -> &SuiteIdentity {
        &self.identity
    }

    fn configs(&self) -> Vec<Config> {
        let config = |(name, processors, cpu): (&str, u32, &str)| Config {
            config: name.into(),
            cpu: cpu.into(),
            command: format!(
                "qemu-system-x86_64 {} -kernel vmlinuz -initrd l1.cpio",
                arguments(cpu, processors).join(" ")
            ),
        };
        CONFIGS.map(config).to_vec()
    }

    fn plan(&self) -> Vec<Job> {
        let job = |(name, processors, cpu): (&str, u32, &str)| {
            let args = arguments(cpu, processors);
            let fingerprint = hash::of_parts([&self.identity.version, &args.join(" ")]);
            Job::new(name, planned(tests()), self.timeout, args, fingerprint)
        };
        CONFIGS.map(job).to_vec()
    }

    fn check(&self, _: &Qemu) -> Result<()> {
        // Whatever can be built of QEMU has what Linux needs.
        Ok(())
    }

    fn run(&self, work: &Work<'_>, emit: &mut dyn FnMut(Observation) -> Result<()>) -> Result<()> {
        let doing = "making a folder for L1";
        let folder =
            tempfile::tempdir().map_err(|e| Error::new(Kind::Harness, doing).because(e))?;
        let initramfs = folder.path().join("l1.cpio");
        cache::write_atomic(&initramfs, &l1(&self.parts)?)?;
        let firmware = work.qemu.firmware.iter().flat_map(|dir| ["-L".into(), dir.into()]);
        let rest = work.job.args.iter().map(OsString::from);
        let image = OsString::from(&self.parts.kernel.image);
        let boot = ["-kernel".into(), image, "-initrd".into(), initramfs.clone().into()];
        let args: Vec<OsString> = firmware.chain(rest).chain(boot).collect();
        measure(work, &args, emit)
    }
}
