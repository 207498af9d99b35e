//! What a world switch costs: VMRUN, #VMEXIT, and whole exits through a minimal
//! L1, in the guest of this repository.

use super::bare::protocol::kind;
use super::bare::{self, HOLE, Task, Timed};
use super::{Probe, Reading, Unit};
use crate::exec::guest::Guest;
use crate::qemu::Qemu;
use crate::{Env, Result};
use svm_model::vmcb::exit;

/// Samples of each task; each lasts a fraction of a time slice, so that on a busy
/// machine most of them are not interrupted.
const SAMPLES: u64 = 300;
const TRIPS: u64 = 8;

/// MOV AL, [HOLE]; JMP back.
const READ_HOLE: [u8; 9] = {
    let at = (HOLE as u32).to_le_bytes();
    [0x8a, 0x04, 0x25, at[0], at[1], at[2], at[3], 0xeb, 0xf7]
};

/// An exit of each kind: its name, what L2 executes, the length of what exits,
/// and the exit code.
const EXITS: [(&str, &[u8], i64, u64); 6] = [
    ("cpuid", &[0x0f, 0xa2, 0xeb, 0xfc], 2, exit::CPUID),
    ("in", &[0xe4, 0x80, 0xeb, 0xfc], 2, exit::IOIO),
    ("npf", &READ_HOLE, 7, exit::NPF),
    ("out", &[0xe6, 0x80, 0xeb, 0xfc], 2, exit::IOIO),
    ("rdmsr", &[0x0f, 0x32, 0xeb, 0xfc], 2, exit::MSR),
    ("vmmcall", &[0x0f, 0x01, 0xd9, 0xeb, 0xfb], 3, exit::VMMCALL),
];

/// The probe.
#[derive(Debug)]
pub struct WorldSwitch {
    guest: Guest,
}

impl WorldSwitch {
    /// Builds the guest.
    ///
    /// # Errors
    /// Build, when it does not compile.
    pub fn open(env: &Env) -> Result<Self> {
        Ok(WorldSwitch { guest: bare::build(&env.repo)? })
    }
}

impl Probe for WorldSwitch {
    fn round(&self, qemu: &Qemu) -> Result<Vec<Reading>> {
        let (timed, usage) = bare::time(&bare::machine(&self.guest, qemu), &tasks())?;
        let mut readings = readings(&timed);
        readings.push(Reading::new("memory/world-switch", Unit::Bytes, usage.peak_rss as f64));
        Ok(readings)
    }
}

/// Of what the round trip and the first read of the TSC in L2 cost, then of exits.
fn tasks() -> Vec<Task> {
    let timed = Task { samples: SAMPLES, trips: TRIPS, ..Task::default() };
    let vmmcall = exit::VMMCALL;
    let mut tasks = vec![
        // RIP stays on VMMCALL: L2 executes that and nothing else.
        Task { kind: kind::ROUND_TRIP, program: &[0x0f, 0x01, 0xd9], exit: vmmcall, ..timed },
        // RDTSC; VMMCALL.
        Task { kind: kind::SPLIT, program: &[0x0f, 0x31, 0x0f, 0x01, 0xd9], step: -2, ..timed },
    ];
    let exit = |&(_, program, step, exit)| Task { kind: kind::EXIT, program, step, exit, ..timed };
    tasks.extend(EXITS.iter().map(exit));
    tasks
}

fn readings(timed: &[Timed]) -> Vec<Reading> {
    let [round_trip, split, exits @ ..] = timed else { return Vec::new() };
    let (vmrun, vmexit) = split.pair();
    let mut readings = vec![
        Reading::new("world-switch/round-trip", Unit::Nanoseconds, round_trip.median()),
        Reading::new("world-switch/vmrun", Unit::Nanoseconds, vmrun),
        Reading::new("world-switch/vmexit", Unit::Nanoseconds, vmexit),
    ];
    for ((name, ..), timed) in EXITS.iter().zip(exits) {
        let name = format!("world-switch/exit-{name}");
        readings.push(Reading::new(name, Unit::Nanoseconds, timed.median()));
    }
    readings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_jump_goes_back_to_the_start_of_its_program() {
        for (name, program, step, _) in EXITS {
            let back = program[program.len() - 1] as i8;
            assert_eq!(program[program.len() - 2], 0xeb, "{name}");
            assert_eq!(i64::from(back), -(program.len() as i64), "{name}");
            assert_eq!(program.len() as i64, step + 2, "{name}");
            assert!(program.len() <= 16, "{name}");
        }
    }

    #[test]
    fn each_task_has_a_reading_and_the_split_has_two() {
        let timed: Vec<_> = (0..tasks().len() as u32)
            .map(|n| Timed { trips: vec![f64::from(n * 10), f64::from(n * 10 + 1)] })
            .collect();
        let readings = readings(&timed);
        assert_eq!(readings.len(), timed.len() + 1);
        assert_eq!((readings[1].value, readings[2].value), (10.0, 11.0));
        assert_eq!(
            (readings[3].name.as_str(), readings[3].value),
            ("world-switch/exit-cpuid", 20.5)
        );
        assert_eq!(super::readings(&[]), []);
    }
}
