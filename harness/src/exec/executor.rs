//! Cases into outcomes, on a QEMU.

use std::cell::Cell;
use std::time::Duration;

use svm_model::case::{Board, Case};
use svm_model::cpu::{CpuFeature, CpuSet, CpuidReg, Platform};
use svm_model::outcome::{Obs, Outcome};
use svm_model::wire::{self, MAILBOX, Reader, header, state};

use super::boot::{Ended, Machine};
use super::c::InProcess;
use super::ram::{self, Ram};
use super::watch::{HALTED, RUNAWAY};
use super::{decode, encode, world};
use crate::{Error, Kind, Result};

/// Without progress in a case for that long, it is stuck.
pub const LIMIT: Duration = Duration::from_secs(2);
/// What is said of a case in which the guest's CPU shut down.
pub const SHUT_DOWN: &str = "the guest's CPU shut down";
/// Most bytes of input, and of output, of one boot.
const INPUT_MAX: usize = 8 << 20;
const OUTPUT_MAX: usize = 24 << 20;

/// What became of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// It ended.
    Outcome(Outcome),
    /// This CPU lacks what it needs.
    Skipped(CpuSet),
    /// QEMU or the guest died in it: how, and what was observed before.
    Crashed(String, Outcome),
    /// It did not end: how, and what was observed before.
    TimedOut(String, Outcome),
    /// QEMU was killed from outside by that signal: this says nothing of it.
    Killed(i32),
}

impl Ran {
    /// As it is, save that a shutdown where one is expected is an observation.
    pub fn expecting(self, expected: &Outcome) -> Ran {
        match self {
            Ran::Crashed(why, mut seen)
                if why == SHUT_DOWN && expected.obs.last() == Some(&Obs::L1Shutdown) =>
            {
                seen.obs.push(Obs::L1Shutdown);
                Ran::Outcome(seen)
            }
            other => other,
        }
    }
}

/// What runs a batch that lies in RAM.
#[derive(Debug)]
enum Place {
    /// A machine, with the guest in it.
    Machine(Machine),
    /// QEMU's C code in a process of its own.
    C(InProcess),
}

/// Runs cases in the guest, or on QEMU's C code, many a boot.
#[derive(Debug)]
pub struct QemuExecutor {
    place: Place,
    /// What each CPU that was booted offers, by what it was booted without.
    platforms: Vec<(CpuSet, Platform)>,
    /// Processor time of the processes that ended by themselves.
    spent: Cell<Duration>,
}

impl QemuExecutor {
    /// On that machine.
    pub fn new(machine: Machine) -> Self {
        QemuExecutor::at(Place::Machine(machine))
    }

    /// On QEMU's C code: the executor `c`.
    pub fn in_process(c: InProcess) -> Self {
        QemuExecutor::at(Place::C(c))
    }

    fn at(place: Place) -> Self {
        QemuExecutor { place, platforms: Vec::new(), spent: Cell::default() }
    }

    /// Processor time so far of the processes in which cases ran, of those that ended by
    /// themselves.
    pub fn spent(&self) -> Duration {
        self.spent.get()
    }

    /// What the CPU offers when it is booted without those features.
    ///
    /// # Errors
    /// As [`QemuExecutor::run`].
    pub fn platform(&mut self, without: CpuSet) -> Result<Platform> {
        if let Some((_, found)) = self.platforms.iter().find(|(w, _)| *w == without) {
            return Ok(*found);
        }
        let (ram, end) = self.boot(without, Board::Small, &Batch::default())?;
        if end != Ended::ByGuest {
            return Err(no_start(without, &end));
        }
        check_state(&ram)?;
        let platform = read_platform(&ram)?;
        self.platforms.push((without, platform));
        Ok(platform)
    }

    /// Runs the cases, in any number of boots, and emits what became of each.
    ///
    /// # Errors
    /// Harness, when QEMU cannot be started, when the guest does not come up, or
    /// when what it writes makes no sense; Usage, for a case that cannot be
    /// encoded or a QEMU without SVM; Interrupted; and what `emit` gives.
    pub fn run(
        &mut self,
        cases: &[&Case],
        emit: &mut dyn FnMut(usize, Ran) -> Result<()>,
    ) -> Result<()> {
        // What no CPU of this QEMU has need not be switched off, and has no name to do it by.
        let all = self.platform(CpuSet::NONE)?.features;
        let without_of = |case: &Case| all.minus(all.minus(case.cpu.without));
        let machine_of = |case: &Case| (without_of(case), case.cpu.board);
        let mut machines: Vec<_> = cases.iter().map(|c| machine_of(c)).collect();
        machines.sort_unstable();
        machines.dedup();
        for wanted in machines {
            let (without, board) = wanted;
            let offered = self.platform(without)?.features;
            let mut queue = Vec::new();
            for (n, case) in cases.iter().enumerate().filter(|(_, c)| machine_of(c) == wanted) {
                match case.cpu.needs.minus(offered) {
                    CpuSet::NONE => queue.push(n),
                    lacking => emit(n, Ran::Skipped(lacking))?,
                }
            }
            let mut rest = &queue[..];
            while !rest.is_empty() {
                rest = &rest[self.run_some(without, board, cases, rest, emit)?..];
            }
        }
        Ok(())
    }

    /// Boots once with as many of `queue` as fit; how many it got through.
    fn run_some(
        &self,
        without: CpuSet,
        board: Board,
        cases: &[&Case],
        queue: &[usize],
        emit: &mut dyn FnMut(usize, Ran) -> Result<()>,
    ) -> Result<usize> {
        let mut batch = Batch::default();
        for &n in queue {
            if !batch.add(cases[n])? {
                break;
            }
        }
        let (ram, end) = self.boot(without, board, &batch)?;
        read_back(&ram, end, &batch, queue, emit)
    }

    fn boot(&self, without: CpuSet, board: Board, batch: &Batch) -> Result<(Ram, Ended)> {
        let ram = batch.ram(without)?;
        let (end, took) = match &self.place {
            Place::Machine(machine) => machine.boot(&cpu_argument(without), board, &ram)?,
            Place::C(c) => c.boot(without, &ram)?,
        };
        self.spent.set(self.spent.get() + took);
        check_header(&ram)?;
        Ok((ram, end))
    }
}

/// Runs one case alone, in a way of the caller's: `boot` gets the RAM that it
/// lies in, for a CPU without those features, and gives back RAM in which it has
/// ended, or `None`, which is handed on.
///
/// # Errors
/// As [`QemuExecutor::run`], and what `boot` gives.
pub fn alone(
    case: &Case,
    without: CpuSet,
    boot: impl FnOnce(Ram) -> Result<Option<(Ram, Ended)>>,
) -> Result<Option<Ran>> {
    let mut batch = Batch::default();
    batch.add(case)?;
    let Some((ram, end)) = boot(batch.ram(without)?)? else { return Ok(None) };
    check_header(&ram)?;
    let mut ran = None;
    read_back(&ram, end, &batch, &[0], &mut |_, what| {
        ran = Some(what);
        Ok(())
    })?;
    Ok(ran)
}

/// Emits what became of the cases of a batch, `queue`; how many it got through.
fn read_back(
    ram: &Ram,
    end: Ended,
    batch: &Batch,
    queue: &[usize],
    emit: &mut dyn FnMut(usize, Ran) -> Result<()>,
) -> Result<usize> {
    let done = ram.u32(MAILBOX + header::DONE)? as usize;
    if done > batch.count {
        return Err(garbage("it says that it has run more cases than it was given"));
    }
    let committed = ram.u64(MAILBOX + header::OUTPUT_LEN)? as usize;
    let written = ram.u64(MAILBOX + header::OUTPUT_PART)? as usize;
    if committed > written || written > batch.output {
        return Err(garbage("it says that it has written more than it can"));
    }
    let bytes = ram.read(batch.output_at(), written)?;
    let mut reader = Reader(&bytes[..committed]);
    for &n in &queue[..done] {
        let outcome = decode::outcome(&mut reader).ok_or_else(|| garbage("its observations"))?;
        emit(n, Ran::Outcome(outcome))?;
    }
    if let Some(broken) = verdict(ram, end, &bytes[committed..])? {
        if done < batch.count {
            emit(queue[done], broken)?;
            return Ok(done + 1);
        }
    } else if done == 0 {
        return Err(garbage("it ended without a case run"));
    }
    Ok(done)
}

fn check_header(ram: &Ram) -> Result<()> {
    if ram.u64(MAILBOX + header::MAGIC)? != wire::MAGIC
        || ram.u32(MAILBOX + header::VERSION)? != wire::VERSION
    {
        return Err(garbage("its header is overwritten"));
    }
    Ok(())
}

/// QEMU's `-cpu` argument.
pub fn cpu_argument(without: CpuSet) -> String {
    without.iter().fold("max,+svm".to_owned(), |cpu, f| cpu + ",-" + f.name())
}

/// What became of the case in which the boot ended; `None` if it ended between cases.
fn verdict(ram: &Ram, end: Ended, partial: &[u8]) -> Result<Option<Ran>> {
    let seen = || decode::partial(Reader(partial));
    Ok(match end {
        Ended::ByGuest => match ram.u32(MAILBOX + header::STATE)? {
            state::HALTED => Some(Ran::TimedOut(HALTED.to_owned(), seen())),
            state::RUNAWAY => Some(Ran::TimedOut(RUNAWAY.to_owned(), seen())),
            state::SHUTDOWN => Some(Ran::Crashed(SHUT_DOWN.into(), seen())),
            _ => check_state(ram)?.map(|why| Ran::Crashed(why, seen())),
        },
        Ended::Stalled(why) => Some(Ran::TimedOut(why.to_owned(), seen())),
        Ended::Died(why) => Some(Ran::Crashed(why, seen())),
        Ended::Killed(signal) => Some(Ran::Killed(signal)),
    })
}

/// Why the guest gave up, if it did; an error where that is not a case's doing.
fn check_state(ram: &Ram) -> Result<Option<String>> {
    match ram.u32(MAILBOX + header::STATE)? {
        state::DONE | state::SPOILT | state::FULL => Ok(None),
        state::PANIC => {
            let at = MAILBOX + header::PANIC;
            let (vector, error) = (ram.u32(at)?, ram.u32(at + 4)?);
            let (rip, cr2) = (ram.u64(at + 8)?, ram.u64(at + 16)?);
            Ok(Some(format!(
                "the guest itself met exception {vector} (error code {error:#x}, RIP {rip:#x}, CR2 {cr2:#x})"
            )))
        }
        state::NO_SVM => Err(Error::new(Kind::Usage, "this QEMU's CPU offers no SVM")
            .hint("give one with -cpu max,+svm: x86_64, TCG, 2.4 or later")),
        state::BAD_INPUT => Err(garbage("it does not understand what it was given")),
        other => Err(garbage(&format!("it ended in state {other}"))),
    }
}

fn garbage(what: &str) -> Error {
    Error::new(Kind::Harness, format!("talking to the conformance guest: {what}"))
        .hint("either a case has overwritten the guest, or this is a bug of the harness")
}

fn no_start(without: CpuSet, end: &Ended) -> Error {
    let cpu = cpu_argument(without);
    Error::new(Kind::Harness, format!("the conformance guest does not come up on {cpu}: {end:?}"))
}

fn read_platform(ram: &Ram) -> Result<Platform> {
    let word = |query: usize, register: u64| {
        ram.u32(MAILBOX + header::QUERY + query as u64 * header::QUERY_SIZE + 8 + register * 4)
    };
    let queries = queries();
    let mut features = CpuSet::NONE;
    for &feature in CpuFeature::ALL {
        let bit = feature.cpuid();
        let query = queries.iter().position(|q| *q == (bit.leaf, bit.subleaf));
        if word(query.unwrap_or(0), register(bit.reg))? >> bit.bit & 1 == 1 {
            features = features.with(feature);
        }
    }
    Ok(Platform { features, phys_bits: word(0, 0)? as u8, asids: word(1, 1)? })
}

pub(super) const fn register(reg: CpuidReg) -> u64 {
    match reg {
        CpuidReg::Eax => 0,
        CpuidReg::Ebx => 1,
        CpuidReg::Ecx => 2,
        CpuidReg::Edx => 3,
    }
}

/// What the guest asks CPUID: sizes first, then where each feature is.
fn queries() -> Vec<(u32, u32)> {
    let mut queries = vec![(0x8000_0008, 0), (0x8000_000a, 0)];
    for bit in CpuFeature::ALL.iter().map(|f| f.cpuid()) {
        if !queries.contains(&(bit.leaf, bit.subleaf)) {
            queries.push((bit.leaf, bit.subleaf));
        }
    }
    queries
}

/// The input of one boot.
#[derive(Default)]
struct Batch {
    input: Vec<u8>,
    count: usize,
    /// Most bytes of output that its cases can make.
    output: usize,
}

impl Batch {
    /// Adds a case, unless there is no more room; whether it did.
    fn add(&mut self, case: &Case) -> Result<bool> {
        let (bytes, output) = encode::case(case)?;
        let full = self.input.len() + bytes.len() > INPUT_MAX || self.output + output > OUTPUT_MAX;
        if full && self.count > 0 {
            return Ok(false);
        }
        self.input.extend(bytes);
        self.output += output;
        self.count += 1;
        Ok(true)
    }

    fn output_at(&self) -> u64 {
        (wire::INPUT + self.input.len() as u64).next_multiple_of(0x1000)
    }

    /// QEMU wants whole MiB.
    fn ram_size(&self) -> u64 {
        (self.output_at() + self.output as u64).next_multiple_of(1 << 20)
    }

    /// RAM with the world and this batch in it, for a CPU without those features.
    fn ram(&self, without: CpuSet) -> Result<Ram> {
        let ram = Ram::new(self.ram_size(), &ram::folders())?;
        for (pa, bytes) in
            world::memory(!without.has(CpuFeature::Npt), !without.has(CpuFeature::Pdpe1gb))
        {
            ram.write(pa, &bytes)?;
        }
        self.write(&ram)?;
        Ok(ram)
    }

    fn write(&self, ram: &Ram) -> Result<()> {
        let u32_at = |at: u64, value: u32| ram.write(MAILBOX + at, &value.to_le_bytes());
        let u64_at = |at: u64, value: u64| ram.write(MAILBOX + at, &value.to_le_bytes());
        u64_at(header::MAGIC, wire::MAGIC)?;
        u32_at(header::VERSION, wire::VERSION)?;
        u32_at(header::STATE, state::READY)?;
        u32_at(header::CASES, self.count as u32)?;
        u64_at(header::INPUT_LEN, self.input.len() as u64)?;
        u64_at(header::OUTPUT, self.output_at())?;
        u64_at(header::OUTPUT_CAP, self.output as u64)?;
        let queries = queries();
        u32_at(header::QUERIES, queries.len() as u32)?;
        for (n, (leaf, subleaf)) in (0..).zip(queries) {
            u32_at(header::QUERY + n * header::QUERY_SIZE, leaf)?;
            u32_at(header::QUERY + n * header::QUERY_SIZE + 4, subleaf)?;
        }
        ram.write(wire::INPUT, &self.input)
    }
}
