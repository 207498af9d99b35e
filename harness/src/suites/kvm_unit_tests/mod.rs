//! kvm-unit-tests, as built by the user.
//!
//! None of its code and nothing that builds it is part of this repository: a
//! tree is found, its `x86/unittests.cfg` and the tables of its SVM units are
//! read, and its images are run.

mod catalog;
mod cfg;
mod params;
pub mod parse;
mod plan;
mod survey;
mod table;
mod tree;

use std::ffi::OsString;
use std::path::PathBuf;

pub use catalog::Catalog;
pub use cfg::{Unit, parse as parse_units};
pub use table::names as parse_table;
pub use tree::Tree;

use crate::host::child::{self, Ended, Launch};
use crate::host::error::Context;
use crate::qemu::Qemu;
use crate::suites::kvm_unit_tests::parse::{Transcript, judge};
use crate::suites::{
    Absent, Config, Job, Observation, Opened, Options, Suite, SuiteIdentity, WHOLE, Work,
};
use crate::{Error, Kind, Result};

/// The name of the suite of SVM's units.
pub const NAME: &str = "kvm-unit-tests";
/// The name of the suite of all other x86 units.
pub const OTHERS: &str = "kvm-unit-tests-x86";

/// A tree, and what of it is to be run.
#[derive(Debug)]
pub struct KvmUnitTests {
    identity: SuiteIdentity,
    root: PathBuf,
    configs: Vec<Config>,
    jobs: Vec<Job>,
    notes: Vec<String>,
}

/// Finds the tree and plans its SVM units, or those that `options` names.
///
/// # Errors
/// Usage, when a tree that was named is none or is not built; set-up, when the
/// suite is required and there is no tree.
pub fn open(options: &Options) -> Result<Opened> {
    open_as(NAME, options, |catalog, unit| {
        plan::is_svm(catalog, unit) || plan::is_named(unit, options)
    })
}

/// The same for the x86 units that are not about SVM.
///
/// # Errors
/// As [`open`].
pub fn open_others(options: &Options) -> Result<Opened> {
    open_as(OTHERS, options, |catalog, unit| !plan::is_svm(catalog, unit))
}

/// The tree for the suite `name`, or that there is none.
///
/// # Errors
/// As [`Tree::locate`]; set-up, when the suite is required and there is no tree.
pub fn locate(name: &str, options: &Options) -> Result<Result<Tree, Absent>> {
    if let Some(tree) = Tree::locate(options)? {
        return Ok(Ok(tree));
    }
    let why = format!(
        "no tree: give --kvm-unit-tests DIR, set {}, or build one in ../kvm-unit-tests",
        tree::VARIABLE
    );
    if options.require.contains(name) {
        return Err(Error::new(Kind::Setup, format!("{name} is required, but there is {why}")));
    }
    Ok(Err(Absent { suite: name.into(), why }))
}

fn open_as(
    name: &str,
    options: &Options,
    is_wanted: impl Fn(&Catalog, &Unit) -> bool,
) -> Result<Opened> {
    let tree = match locate(name, options)? {
        Ok(tree) => tree,
        Err(absent) => return Ok(Opened::Absent(absent)),
    };
    let catalog = Catalog::built_in()?;
    let units = cfg::parse(&tree.read("x86/unittests.cfg")?)?;
    let surveyed = units
        .iter()
        .filter(|unit| is_wanted(&catalog, unit))
        .map(|unit| survey::survey(&tree, unit))
        .collect::<Result<Vec<_>>>()?;
    let (configs, jobs) = plan::plan(&surveyed, &catalog, options.timeout)?;
    let identity = SuiteIdentity { name: name.into(), version: tree.version.clone() };
    let left_out = surveyed.iter().filter(|s| !s.left_out.is_empty());
    let note = |s: &survey::Surveyed| {
        let (unit, what) = (&s.unit.name, s.left_out.join(" "));
        format!("{name}: [{unit}] runs without what could touch this machine: {what}")
    };
    let notes = left_out.map(note).collect();
    let suite = KvmUnitTests { identity, root: tree.root, configs, jobs, notes };
    Ok(Opened::Ready(Box::new(suite)))
}

impl Suite for KvmUnitTests {
    fn identity(&self) -> &SuiteIdentity {
        &self.identity
    }

    fn configs(&self) -> Vec<Config> {
        self.configs.clone()
    }

    fn plan(&self) -> Vec<Job> {
        self.jobs.clone()
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn check(&self, qemu: &Qemu) -> Result<()> {
        if let Some(device) = qemu.lacks(&["pc-testdev", "pci-testdev", "isa-debug-exit"])? {
            let what = format!("{} has no {device} device", qemu.path.display());
            return Err(Error::new(Kind::Usage, format!("{what}, which {NAME} needs")).hint(
                "configure QEMU with CONFIG_TEST_DEVICES, CONFIG_PCI_TESTDEV and CONFIG_ISA_DEBUG",
            ));
        }
        Ok(())
    }

    fn run(&self, work: &Work<'_>, emit: &mut dyn FnMut(Observation) -> Result<()>) -> Result<()> {
        let args = self.arguments(work);
        let launch = Launch { program: &work.qemu.path, args: &args, timeout: work.job.timeout };
        let ended = child::run(&launch)?;
        write_log(work, &args, &ended)?;
        let seen = Transcript::read(&ended.stdout.text());
        let reading = judge(&seen, ended.end, &ended.stderr.text());
        let whole = |test: &str| test == WHOLE;
        work.pending.iter().try_for_each(|planned| {
            emit(Observation {
                test: planned.test.clone(),
                verdict: reading.verdict,
                passed: reading.passed,
                failed: reading.failed,
                first_failure: reading.first_failure.clone(),
                failing: if whole(&planned.test) { reading.failing.clone() } else { vec![] },
                fleeting: reading.fleeting,
            })
        })
    }
}

impl KvmUnitTests {
    fn arguments(&self, work: &Work<'_>) -> Vec<OsString> {
        let mut args = Vec::new();
        for dir in &work.qemu.firmware {
            args.push("-L".into());
            args.push(dir.into());
        }
        let root = self.root.to_string_lossy();
        args.extend(work.job.args.iter().map(|a| a.replace(plan::ROOT, &root).into()));
        args
    }
}

/// The command, what the guest printed, what QEMU printed, and how it ended.
fn write_log(work: &Work<'_>, args: &[OsString], ended: &Ended) -> Result<()> {
    let words =
        std::iter::once(work.qemu.path.as_os_str()).chain(args.iter().map(|a| a.as_os_str()));
    let command: Vec<String> = words.map(crate::host::process::quote).collect();
    let (serial, stderr) = (ended.stdout.text(), ended.stderr.text());
    let seconds = ended.elapsed.as_secs_f64();
    let end = ended.end;
    let text = format!(
        "$ {}\n{serial}\n--- QEMU's standard error ---\n{stderr}\n--- {end:?} after {seconds:.2} s ---\n",
        command.join(" ")
    );
    let doing = || format!("writing the log {}", work.log.display());
    if let Some(dir) = work.log.parent() {
        std::fs::create_dir_all(dir).doing(Kind::Harness, doing)?;
    }
    std::fs::write(work.log, text)
        .map_err(|e| crate::host::cache::io_error("writing the log", work.log, e))
}
