//! The input of one boot, and what is read back behind it.

use svm_model::case::Case;
use svm_model::cpu::{CpuFeature, CpuSet, CpuidReg, Platform};
use svm_model::outcome::Outcome;
use svm_model::wire::{self, MAILBOX, Reader, header, state};

use super::boot::Ended;
use super::ram::{self, Ram};
use super::ran::{Crash, End, Ran, Stuck};
use super::{decode, encode, world};
use crate::{Error, Kind, Result};

/// Most bytes of input, and of output, of one boot.
const INPUT_MAX: usize = 8 << 20;
const OUTPUT_MAX: usize = 24 << 20;

/// The input of one boot.
#[derive(Default)]
pub(super) struct Batch {
    input: Vec<u8>,
    pub(super) count: usize,
    /// Most bytes of output that its cases can make.
    output: usize,
}

impl Batch {
    /// Adds a case for one of those platforms, unless there is no more room; whether it did.
    pub(super) fn add(&mut self, case: &Case, platforms: &[Platform]) -> Result<bool> {
        let (bytes, output) = encode::case(case, platforms)?;
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
    pub(super) fn ram(&self, without: CpuSet) -> Result<Ram> {
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

/// Why nothing can be read back.
#[derive(Debug)]
pub(super) enum Lost {
    /// The guest's memory makes no sense.
    Garbage(String),
    /// Anything else.
    Other(Error),
}

impl From<Error> for Lost {
    fn from(error: Error) -> Lost {
        Lost::Other(error)
    }
}

impl From<Lost> for Error {
    fn from(lost: Lost) -> Error {
        match lost {
            Lost::Other(error) => error,
            Lost::Garbage(what) => {
                Error::new(Kind::Harness, format!("talking to the conformance guest: {what}")).hint(
                    "either a case has overwritten the guest, or this is a bug of the harness",
                )
            }
        }
    }
}

/// What became of the first cases of a batch, as many as it got through.
pub(super) fn read_back(ram: &Ram, end: Ended, batch: &Batch) -> Result<Vec<Ran>, Lost> {
    check_header(ram)?;
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
    let outcomes = (0..done).map(|_| decode::outcome(&mut reader).map(Ran::of));
    let mut ran: Vec<Ran> =
        outcomes.collect::<Option<_>>().ok_or_else(|| garbage("its observations"))?;
    if let Some(broken) = broken(ram, end, &bytes[committed..])? {
        if done < batch.count {
            ran.push(broken);
        }
    } else if done == 0 {
        return Err(garbage("it ended without a case run"));
    }
    Ok(ran)
}

/// What became of the case in which the boot ended; `None` if it ended between cases.
fn broken(ram: &Ram, end: Ended, partial: &[u8]) -> Result<Option<Ran>, Lost> {
    let end = match end {
        Ended::ByGuest => match ram.u32(MAILBOX + header::STATE)? {
            state::HALTED => End::TimedOut(Stuck::Halted),
            state::RUNAWAY => End::TimedOut(Stuck::Runaway),
            state::SHUTDOWN => End::Shutdown,
            _ => match check_state(ram)? {
                Some(crash) => End::Crashed(crash),
                None => return Ok(None),
            },
        },
        Ended::Otherwise(end) => end,
    };
    // What a QEMU that was killed had written may be half of something.
    let seen =
        if end.is_fleeting() { Outcome::default() } else { decode::partial(Reader(partial)) };
    Ok(Some(Ran::Broken(end, seen)))
}

pub(super) fn check_header(ram: &Ram) -> Result<(), Lost> {
    if ram.u64(MAILBOX + header::MAGIC)? != wire::MAGIC
        || ram.u32(MAILBOX + header::VERSION)? != wire::VERSION
    {
        return Err(garbage("its header is overwritten"));
    }
    Ok(())
}

/// Why the guest gave up, if it did; an error where that is not a case's doing.
pub(super) fn check_state(ram: &Ram) -> Result<Option<Crash>, Lost> {
    match ram.u32(MAILBOX + header::STATE)? {
        state::DONE | state::SPOILT | state::FULL => Ok(None),
        state::PANIC => {
            let at = MAILBOX + header::PANIC;
            let (vector, error) = (ram.u32(at)?, ram.u32(at + 4)?);
            let (rip, cr2) = (ram.u64(at + 8)?, ram.u64(at + 16)?);
            Ok(Some(Crash::Guest { vector, error, rip, cr2 }))
        }
        state::NO_SVM => Err(Error::new(Kind::Usage, "this QEMU's CPU offers no SVM")
            .hint("give one with -cpu max,+svm: x86_64, TCG, 2.4 or later")
            .into()),
        state::BAD_INPUT => Err(garbage("it does not understand what it was given")),
        other => Err(garbage(&format!("it ended in state {other}"))),
    }
}

pub(super) fn read_platform(ram: &Ram) -> Result<Platform> {
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

fn garbage(what: &str) -> Lost {
    Lost::Garbage(what.into())
}
