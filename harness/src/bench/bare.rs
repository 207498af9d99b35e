//! The measuring guest: built, put into RAM with its tasks, booted, and read.

use std::path::Path;
use std::time::Duration;

use svm_model::case::Board;
use svm_model::case::world::{DATA, IOPM, L1PT, MSRPM, VMCB, npt};
use svm_model::vmcb::Field;
use svm_model::wire::EXIT_VALUE;

use super::stats;
use crate::exec::boot::Machine;
use crate::exec::guest::{self, Guest};
use crate::exec::ram::{self, Ram};
use crate::exec::world;
use crate::host::launch::{self, Usage};
use crate::qemu::Qemu;
use crate::{Error, Kind, Result};

#[path = "../../guest/src/measure/protocol.rs"]
pub mod protocol;

use protocol::{HEADER, SAMPLES, SAMPLES_SIZE, TASK_SIZE, TASKS, header, state};

/// The guest's RAM: its samples end at 33 MiB, its field for loads and stores at 100.
const RAM_SIZE: u64 = 128 << 20;
/// How long one boot may take; a valgrind is fifty times slower than nothing.
const LIMIT: Duration = Duration::from_secs(600);
/// A page of L2's that the nested tables do not map.
pub const HOLE: u64 = DATA + 0x1f_0000;
/// Where L1 has 4 KiB pages: the first 2 MiB of the guest's field.
const SMALL_PAGES: u64 = 0x600_0000;

/// A task for the guest.
#[derive(Clone, Debug, Default)]
pub struct Task {
    /// One of [`protocol::kind`].
    pub kind: u64,
    /// How many samples are taken.
    pub samples: u64,
    /// How often the work is done for one sample.
    pub trips: u64,
    /// What L2 executes.
    pub program: &'static [u8],
    /// What L1 adds to RIP after each exit.
    pub step: i64,
    /// The exit code that each exit must have.
    pub exit: u64,
}

/// What came of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    /// The samples, in nanoseconds for one trip.
    pub trips: Vec<f64>,
}

/// Builds the guest of the checkout `repo`.
///
/// # Errors
/// As [`guest::build`].
pub fn build(repo: &Path) -> Result<Guest> {
    guest::build_program(repo, "svm-measure")
}

/// The machine that the guest boots in, on that QEMU.
pub fn machine(guest: &Guest, qemu: &Qemu) -> Machine {
    Machine {
        qemu: qemu.path.clone(),
        accel: "tcg".into(),
        firmware: qemu.firmware.clone(),
        guest: guest.clone(),
        limit: LIMIT,
    }
}

/// The CPU that everything is measured on unless a measure says otherwise.
pub const CPU: &str = "max,+svm";

/// Boots the guest on that CPU with those tasks. `wrap` comes before QEMU on the
/// command line: a profiler, or nothing. With one, the guest's samples have no unit:
/// it does not look for its clock's frequency.
///
/// # Errors
/// Harness, when it cannot be started or does not do its tasks.
pub fn boot(
    machine: &Machine,
    cpu: &str,
    tasks: &[Task],
    wrap: &[&str],
) -> Result<(Ram, launch::Finished)> {
    let ram = Ram::new(RAM_SIZE, &ram::folders())?;
    for (at, bytes) in memory(tasks).iter().chain(&machine.guest.segments) {
        ram.write(*at, bytes)?;
    }
    ram.write(HEADER + header::UNTIMED * 8, &u64::from(!wrap.is_empty()).to_le_bytes())?;
    let mut command = machine.command(cpu, Board::Small, &ram);
    if let Some((program, args)) = wrap.split_first() {
        let mut wrapped = std::process::Command::new(program);
        wrapped.args(args).arg(command.get_program()).args(command.get_args());
        command = wrapped;
    }
    let ended = launch::run(&mut command, LIMIT, |_| false)?;
    let word = |n: u64| ram.u64(HEADER + n * 8);
    if ended.status.code() != Some((EXIT_VALUE << 1 | 1) as i32)
        || word(header::STATE)? != state::DONE
    {
        let why = why(word(header::STATE)?, word(header::WHAT)?, word(header::RIP)?);
        let words = ended.stderr.lines().rfind(|l| !l.trim().is_empty()).unwrap_or_default();
        return Err(Error::new(
            Kind::Harness,
            format!(
                "measuring on {}: {why} in task {} of {} ({}) {words}",
                machine.qemu.display(),
                word(header::DONE)? + 1,
                tasks.len(),
                ended.status
            ),
        ));
    }
    Ok((ram, ended))
}

/// [`boot`], and what the guest's clocks say.
///
/// # Errors
/// As [`boot`].
pub fn time(machine: &Machine, tasks: &[Task]) -> Result<(Vec<Timed>, Usage)> {
    let (ram, ended) = boot(machine, CPU, tasks, &[])?;
    let hz = ram.u64(HEADER + header::TSC_HZ * 8)?;
    let timed = (0..).zip(tasks).map(|(n, task)| samples(&ram, n, task, hz));
    Ok((timed.collect::<Result<_>>()?, ended.usage))
}

fn samples(ram: &Ram, n: u64, task: &Task, hz: u64) -> Result<Timed> {
    let count = task.samples * if task.kind == protocol::kind::SPLIT { 2 } else { 1 };
    let bytes = ram.read(SAMPLES + n * SAMPLES_SIZE, (count * 8).min(SAMPLES_SIZE) as usize)?;
    let ns = 1e9 / hz.max(1) as f64 / task.trips as f64;
    let trips = bytes.chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().unwrap_or_default()));
    Ok(Timed { trips: trips.map(|ticks| ticks as f64 * ns).collect() })
}

impl Timed {
    /// The median of all samples.
    pub fn median(&self) -> f64 {
        stats::median(&self.trips)
    }

    /// The medians of the first and the second of each pair.
    pub fn pair(&self) -> (f64, f64) {
        let every = |first| self.trips.iter().skip(first).step_by(2).copied().collect::<Vec<_>>();
        (stats::median(&every(0)), stats::median(&every(1)))
    }
}

fn why(state: u64, what: u64, rip: u64) -> String {
    match state {
        state::EXCEPTION => format!("exception {what:#x} at {rip:#x}"),
        state::WRONG_EXIT => format!("exit code {what:#x}, which was not expected,"),
        state::NO_SVM => "the CPU has no SVM".into(),
        state::BAD_INPUT => {
            "the guest does not understand its tasks: it is of another version".into()
        }
        _ => "QEMU ended before the guest did".into(),
    }
}

/// Header, tasks and world: the conformance suite's, with every exit that is
/// measured intercepted, and without its TLB flush at each VMRUN.
fn memory(tasks: &[Task]) -> Vec<(u64, Vec<u8>)> {
    let mut memory = world::memory(true, true);
    let mut put = |at: u64, words: &[u64]| {
        memory.push((at, words.iter().flat_map(|w| w.to_le_bytes()).collect()));
    };
    put(HEADER, &[protocol::MAGIC, protocol::VERSION, tasks.len() as u64]);
    for (n, task) in (0..).zip(tasks) {
        let mut program = [0; 16];
        program[..task.program.len()].copy_from_slice(task.program);
        let half = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| program[at + i]));
        let words =
            [task.kind, task.samples, task.trips, half(0), half(8), task.step as u64, task.exit];
        put(TASKS + n * TASK_SIZE, &words);
    }
    put(IOPM, &[u64::MAX; 3 * 512]);
    put(MSRPM, &[u64::MAX; 2 * 512]);
    put(npt::PT + (HOLE - DATA) / 4096 * 8, &[0]);
    // L1's first GiB in 2 MiB pages, and 4 KiB pages where its work is about the TLB.
    let (pd, pt) = (L1PT + 0x2000, L1PT + 0x3000);
    put(L1PT + 0x1000, &[pd | 0x27]);
    let large = |n: u64| if n == SMALL_PAGES >> 21 { pt | 0x27 } else { n << 21 | 0xe7 };
    put(pd, &(0..512).map(large).collect::<Vec<_>>());
    put(pt, &(0..512).map(|n| (SMALL_PAGES + n * 4096) | 0x67).collect::<Vec<_>>());
    // CPUID, IOIO, MSR and shutdown; VMRUN and VMMCALL are in the baseline.
    let misc1: u32 = 1 << 18 | 1 << 27 | 1 << 28 | 1 << 31;
    let field = |f: Field| VMCB + u64::from(f.offset());
    memory.push((field(Field::INTERCEPT_MISC1), misc1.to_le_bytes().into()));
    memory.push((field(Field::TLB_CONTROL), vec![0]));
    memory
}

#[cfg(test)]
mod tests {
    use super::protocol::task;
    use super::*;

    #[test]
    fn tasks_lie_where_the_guest_looks_for_them() {
        let task = Task {
            kind: 2,
            samples: 3,
            trips: 4,
            program: &[0x0f, 0x01, 0xd9],
            step: -2,
            exit: 0x81,
        };
        let memory = memory(&[Task::default(), task]);
        let (_, bytes) = memory.iter().find(|(at, _)| *at == TASKS + TASK_SIZE).unwrap();
        let word = |n: u64| u64::from_le_bytes(bytes[n as usize * 8..][..8].try_into().unwrap());
        assert_eq!((word(task::KIND), word(task::SAMPLES), word(task::TRIPS)), (2, 3, 4));
        assert_eq!(
            (word(task::PROGRAM), word(task::STEP) as i64, word(task::EXIT)),
            (0xd9010f, -2, 0x81)
        );
    }

    #[test]
    fn the_last_write_to_a_place_wins_and_the_hole_is_no_page() {
        let ram = Ram::new(RAM_SIZE, &ram::folders()).unwrap();
        for (at, bytes) in memory(&[]) {
            ram.write(at, &bytes).unwrap();
        }
        assert_eq!(ram.u64(npt::PT + (HOLE - DATA) / 4096 * 8).unwrap(), 0);
        assert_eq!(ram.u64(L1PT + 0x1000).unwrap(), L1PT + 0x2027);
        assert_eq!(ram.u64(L1PT + 0x1008).unwrap(), 1 << 30 | 0xe7);
    }

    #[test]
    fn ticks_become_nanoseconds_of_one_trip() {
        let ram = Ram::new(RAM_SIZE, &ram::folders()).unwrap();
        for (at, ticks) in [(0, 800u64), (8, 1600)] {
            ram.write(SAMPLES + at, &ticks.to_le_bytes()).unwrap();
        }
        let task = Task { samples: 2, trips: 4, ..Task::default() };
        let timed = samples(&ram, 0, &task, 2_000_000_000).unwrap();
        assert_eq!(timed.trips, [100.0, 200.0]);
        assert_eq!((timed.median(), timed.pair()), (150.0, (100.0, 200.0)));
    }
}
