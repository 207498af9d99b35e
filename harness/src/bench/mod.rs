//! `cargo xtask bench`: what the series costs and saves, stock against patched.
//!
//! Every round measures one QEMU and then the other, in turn, and each ratio is
//! of one round, so that a machine that is busy for a while is so for both. Where
//! a count of instructions can be had, it decides: it does not depend on what
//! else runs.
//!
//! # `results/bench.json`
//!
//! ```text
//! {
//! "schema": 1,
//! "machine": {"cpu": …, "cores": …, "arch": …, "kernel": …, "memory_gib": …},
//! "builds": [one of results/*.json's builds, stock and patched],
//! "measures": [
//! {"name": "GROUP/NAME", "unit": …, "stock": …, "patched": …, "ratio": …,
//!  "spread": [low, high], "rounds": [[stock, patched], …]}
//! ]
//! }
//! ```
//!
//! One measure a line, sorted by name. `stock` and `patched` are medians over the
//! rounds, `ratio` is the median of the rounds' stock / patched (above 1: patched
//! needs less), `spread` the smallest and largest of these. Units are `ns` (for
//! one trip), `s`, `instructions` and `bytes`; less is better in all. A side on which a
//! measure could not be taken is null in its round, and has no median.
//!
//! | group | what is measured |
//! |---|---|
//! | `world-switch` | VMRUN, #VMEXIT and exits through a minimal L1, our own guest ([`world_switch`]) |
//! | `l1` | work in which SVM has no part: time, and instructions that QEMU executes ([`l1`]) |
//! | `linux-boot` | booting a Linux that does not use SVM: seconds, and those of processor time (`-cpu`) ([`linux_boot`]) |
//! | `linux-kvm` | exits, and the boot of a Linux L2, under Linux's KVM as L1 ([`linux_kvm`]) |
//! | `executors` | a case on the model, on QEMU's C code in process, and in one boot of a QEMU ([`executors`]) |
//! | `memory` | most resident memory of a QEMU in each of these runs |

pub mod bare;
pub mod count;
pub mod executors;
pub mod l1;
pub mod linux_boot;
pub mod linux_kvm;
pub mod machine;
pub mod record;
pub mod stats;
pub mod world_switch;

mod text;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::host::interrupt;
use crate::qemu::Qemu;
use crate::{Env, Error, Kind, Result};
use record::{Measure, Record, Rounds};

pub(crate) use text::figure;
pub use text::text;

/// How far an instruction count of work without SVM may rise.
pub const TOLERANCE: f64 = 0.01;

/// What a figure is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Nanoseconds,
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Instructions that the host executes.
    #[serde(rename = "instructions")]
    Instructions,
    /// Bytes.
    #[serde(rename = "bytes")]
    Bytes,
}

/// One figure of one round on one side.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// `GROUP/NAME`.
    pub name: String,
    /// What it is in.
    pub unit: Unit,
    /// The figure.
    pub value: f64,
}

impl Reading {
    /// A figure.
    pub fn new(name: impl Into<String>, unit: Unit, value: f64) -> Self {
        Reading { name: name.into(), unit, value }
    }
}

/// Something that can be measured on one QEMU at a time.
pub trait Probe {
    /// Measures once.
    ///
    /// # Errors
    /// When QEMU or the guest does not do what is measured; Interrupted.
    fn round(&self, qemu: &Qemu) -> Result<Vec<Reading>>;

    /// How many rounds it takes when so many are asked for.
    fn rounds(&self, asked: usize) -> usize {
        asked
    }
}

/// Opens a probe: builds and fetches what it needs.
pub type Open = fn(&Env) -> Result<Box<dyn Probe>>;

/// Measures that are taken together.
#[derive(Debug)]
pub struct Group {
    /// Its name: the first part of its measures' names.
    pub name: &'static str,
    /// Its probes.
    pub probes: &'static [Open],
}

/// All groups. A new one is a module and an entry here.
pub const GROUPS: &[Group] = &[
    Group {
        name: "world-switch",
        probes: &[|env| Ok(Box::new(world_switch::WorldSwitch::open(env)?))],
    },
    Group {
        name: "l1",
        probes: &[
            |env| Ok(Box::new(l1::Times::open(env)?)),
            |env| Ok(Box::new(l1::Instructions::open(env)?)),
        ],
    },
    Group {
        name: "executors",
        probes: &[
            |env| Ok(Box::new(executors::InQemu::open(env)?)),
            |env| Ok(Box::new(executors::InProcess::open(env)?)),
        ],
    },
    Group { name: "linux-boot", probes: &[|env| Ok(Box::new(linux_boot::LinuxBoot::open(env)?))] },
    Group {
        name: "linux-kvm",
        probes: &[
            |env| Ok(Box::new(linux_kvm::Exits::open(env)?)),
            |env| Ok(Box::new(linux_kvm::Guest::open(env)?)),
        ],
    },
];

/// What is to be measured.
#[derive(Debug)]
pub struct Request {
    /// Names of groups; all if there is none.
    pub groups: Vec<String>,
    /// The binaries, stock and patched.
    pub qemus: Vec<Qemu>,
    /// Rounds.
    pub rounds: usize,
}

/// What was measured.
#[derive(Debug)]
pub struct Report {
    /// The figures.
    pub record: Record,
    /// What could not be measured, and why.
    pub failures: Vec<String>,
    /// Whether everything was asked for.
    pub whole: bool,
}

impl Report {
    /// Counts of work without SVM that are higher on patched than they may be.
    pub fn risen(&self) -> impl Iterator<Item = &Measure> {
        let counted = |m: &&Measure| m.unit == Unit::Instructions && m.name.starts_with("l1");
        let rises = |m: &&Measure| m.ratio.is_some_and(|ratio| ratio < 1.0 / (1.0 + TOLERANCE));
        self.record.measures.iter().filter(counted).filter(rises)
    }

    /// What the exit code says: nothing, a regression, or that a measure is lacking.
    pub fn failure(&self) -> Option<Kind> {
        match (self.risen().next(), self.failures.is_empty()) {
            (Some(_), _) => Some(Kind::Regression),
            (None, false) => Some(Kind::Harness),
            (None, true) => None,
        }
    }
}

/// Measures.
///
/// # Errors
/// Usage, for an unknown group; NothingRan, when nothing could be measured, with
/// why; Interrupted.
pub fn run(env: &Env, request: &Request) -> Result<Report> {
    let groups = select(&request.groups)?;
    let (mut rounds, mut failures) = (Rounds::default(), Vec::new());
    for Group { name, probes } in groups.iter().copied() {
        for open in *probes {
            let measured = open(env)
                .and_then(|probe| measure(env, name, probe.as_ref(), request, &mut rounds));
            if let Err(e) = measured {
                if e.kind() == Kind::Interrupted {
                    return Err(e);
                }
                failures.push(format!("{name}: {e}"));
            }
        }
    }
    let measures = rounds.measures();
    if measures.is_empty() {
        return Err(Error::new(Kind::NothingRan, failures.join("\n")));
    }
    let builds = request.qemus.iter().map(|qemu| qemu.build.clone()).collect();
    let record =
        Record { schema: record::SCHEMA, machine: machine::Machine::this(), builds, measures };
    Ok(Report { record, failures, whole: groups.len() == GROUPS.len() })
}

/// The groups of those names, each once, in the order of [`GROUPS`].
fn select(names: &[String]) -> Result<Vec<&'static Group>> {
    let known = |name: &String| GROUPS.iter().any(|group| group.name == name);
    if let Some(stranger) = names.iter().find(|name| !known(name) && *name != "all") {
        let all: Vec<&str> = GROUPS.iter().map(|group| group.name).collect();
        let what = format!("there is nothing to measure called {stranger}");
        return Err(
            Error::new(Kind::Usage, what).hint(format!("there are: all, {}", all.join(", ")))
        );
    }
    let all = names.is_empty() || names.iter().any(|name| name == "all");
    Ok(GROUPS.iter().filter(|group| all || names.iter().any(|n| n == group.name)).collect())
}

/// One probe, on all QEMUs in turn; who goes first changes from round to round.
fn measure(
    env: &Env,
    name: &str,
    probe: &dyn Probe,
    request: &Request,
    rounds: &mut Rounds,
) -> Result<()> {
    let total = probe.rounds(request.rounds);
    for n in 0..total {
        let mut order: Vec<&Qemu> = request.qemus.iter().collect();
        if n % 2 == 1 {
            order.reverse();
        }
        for qemu in order {
            interrupt::check()?;
            env.console.step(format_args!(
                "{name}, round {} of {total}: {}",
                n + 1,
                qemu.build.name
            ));
            rounds.add(n, qemu.build.side, probe.round(qemu)?);
        }
    }
    Ok(())
}
