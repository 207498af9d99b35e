//! Xen, as the distribution has it: a PV first domain that starts a PVH and an HVM
//! guest, and whose processes are put under stress beside them.
//!
//! ```text
//! kvm        the same beside an L2 of Linux's KVM, a suite of its own
//! packages   what is pinned in data/xen.toml: fetched, verified, unpacked
//! machine    Xen's command line, the first domain's initramfs, the guests
//! judge      the first domain's words, as verdicts
//! ```
//!
//! What runs inside is `harness/linux`: `dom0.rs` in the first domain, `load.rs` in
//! the guests, `stress.rs` in both.

mod judge;
pub mod kvm;
mod machine;
mod packages;

use std::ffi::OsString;
use std::time::Duration;

use self::machine::{Disk, Guest};
use self::packages::Packages;
use super::fetched::opened;
use super::{Config, Job, Observation, Opened, Options, Planned, Suite, SuiteIdentity};
use super::{Work, conformance};
use crate::host::child::{self, Launch};
use crate::host::{hash, process};
use crate::linux::Parts;
use crate::qemu::Qemu;
use crate::{Env, Result};

/// The suite's name.
pub const NAME: &str = "xen";

/// What a busy machine needs for one boot, both guests and all rounds.
const TIMEOUT: Duration = Duration::from_secs(2400);
/// Rounds of each kind of stress, in each process: stock loses one in some twenty of `memory`.
const ROUNDS: u32 = 100;
/// The configurations: name, processors, `-cpu`.
const CONFIGS: [(&str, u32, &str); 2] = [("xen", 2, "max,+svm"), ("xen-1cpu", 1, "max,+svm")];

/// What is booted.
struct Xen {
    identity: SuiteIdentity,
    packages: Packages,
    parts: Parts,
    timeout: Duration,
}

/// Fetches the packages and compiles what runs in the guests.
///
/// # Errors
/// Build, when that does not compile; Setup, when the suite is required and its
/// packages cannot be had.
pub fn open(options: &Options) -> Result<Opened> {
    opened(NAME, options, obtain)
}

fn obtain(env: &Env, options: &Options) -> Result<Xen> {
    let packages = packages::obtain(env)?;
    let parts = Parts::obtain(env)?;
    let digest = hash::of_parts([packages.pin.digest().as_bytes(), &parts.program]);
    let version = format!("{}, {}", version(&packages), &digest[..16]);
    let identity = SuiteIdentity { name: NAME.into(), version };
    let timeout = options.timeout.unwrap_or(TIMEOUT);
    Ok(Xen { identity, packages, parts, timeout })
}

/// Which Xen and which first domain, in words.
fn version(packages: &Packages) -> String {
    let hypervisor = packages.pin.packages.iter().find_map(|p| {
        let name = p.file.name.strip_prefix("xen-hypervisor-")?;
        Some(name.split('_').nth(1)?.to_owned())
    });
    let xen = hypervisor.unwrap_or_else(|| "of no known version".into());
    format!("Xen {xen}, Linux {}", packages.kernel.release)
}

impl Suite for Xen {
    fn identity(&self) -> &SuiteIdentity {
        &self.identity
    }

    fn configs(&self) -> Vec<Config> {
        let config = |(name, processors, cpu): (&str, u32, &str)| Config {
            config: name.into(),
            cpu: cpu.into(),
            command: format!(
                "qemu-system-x86_64 {} -kernel xen -initrd vmlinuz,dom0.cpio",
                machine::arguments(cpu, processors).join(" ")
            ),
        };
        CONFIGS.map(config).to_vec()
    }

    fn plan(&self) -> Vec<Job> {
        let tests = planned(tests());
        let job = |(name, processors, cpu): (&str, u32, &str)| {
            let args = machine::arguments(cpu, processors);
            let parts = [self.identity.version.clone(), ROUNDS.to_string(), args.join(" ")];
            let fingerprint = hash::of_parts(parts.iter().map(String::as_str));
            Job::new(name, tests.clone(), self.timeout, args, fingerprint)
        };
        CONFIGS.map(job).to_vec()
    }

    fn check(&self, _: &Qemu) -> Result<()> {
        // Whatever can be built of QEMU has what Xen needs.
        Ok(())
    }

    fn run(&self, work: &Work<'_>, emit: &mut dyn FnMut(Observation) -> Result<()>) -> Result<()> {
        let disk = Disk::write(&self.packages, &self.parts)?;
        let args = disk.arguments(work.qemu, &self.packages, &work.job.args, ROUNDS)?;
        measure(work, &args, emit)
    }
}

/// Boots that QEMU with these arguments, keeps the log, and judges by the console.
fn measure(
    work: &Work<'_>,
    args: &[OsString],
    emit: &mut dyn FnMut(Observation) -> Result<()>,
) -> Result<()> {
    let launch = Launch { program: &work.qemu.path, args, timeout: work.job.timeout };
    let ended = child::run(&launch)?;
    let console = ended.stdout.text().replace('\r', "");
    let words = std::iter::once(work.qemu.path.as_os_str()).chain(args.iter().map(|a| &**a));
    let command: Vec<String> = words.map(process::quote).collect();
    let (stderr, end) = (ended.stderr.text(), ended.end);
    let seconds = ended.elapsed.as_secs_f64();
    let log = format!(
        "$ {}\n{console}\n--- QEMU's standard error ---\n{stderr}\n--- {end:?} after {seconds:.2} s \
         ---\n",
        command.join(" ")
    );
    conformance::write_log(work, &log)?;
    let pending: Vec<&str> = work.pending.iter().map(|p| p.test.as_str()).collect();
    judge::judge(&pending, &console, end).into_iter().try_for_each(emit)
}

/// The tests of a job that makes one boot.
fn planned(tests: Vec<String>) -> Vec<Planned> {
    tests.into_iter().map(|test| Planned { test, feature: None }).collect()
}

/// Every test, in the order in which they are seen.
fn tests() -> Vec<String> {
    let mut tests = vec!["dom0/starts".to_owned()];
    tests.extend(judge::stressed("alone"));
    for guest in Guest::ALL.map(Guest::name) {
        tests.extend(judge::guest(guest));
        tests.push(format!("{guest}/ends"));
    }
    tests
}
