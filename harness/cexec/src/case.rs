//! Interpreting a batch of cases, as the conformance guest does.

use crate::l1::{self, Broken, L1};
use crate::layout::{L2_CODE, L2_LOG};
use crate::output::Output;
use crate::qemu::{CpuidBit, Event, Stop};
use crate::ram::Ram;
use crate::wire::{
    self, HOST, LOG_MAX, MAILBOX, PARTS, Reader, event, header, host, obs, observe, op, state,
};

/// Why a case is not done.
enum Failed {
    /// It makes no sense.
    BadInput,
    /// It cannot go on.
    Broken(Broken),
}

impl From<Broken> for Failed {
    fn from(broken: Broken) -> Self {
        Failed::Broken(broken)
    }
}

type Done = Result<(), Failed>;

/// Room in the output area, or the case is over.
fn room(put: Option<()>) -> Done {
    put.ok_or(Failed::Broken(Broken::Full))
}

/// Sense in the input, or the batch is over.
fn sense<T>(read: Option<T>) -> Result<T, Failed> {
    read.ok_or(Failed::BadInput)
}

/// Runs what is left of the batch in that RAM. `None` if there is no batch in it.
pub(crate) fn run_batch(ram: Ram, without: &[CpuidBit], explain: bool) -> Option<()> {
    if ram.u64(MAILBOX)? != wire::MAGIC || ram.u32(MAILBOX + header::VERSION)? != wire::VERSION {
        return None;
    }
    let input_len = ram.u64(MAILBOX + header::INPUT_LEN)?;
    let input = ram.copy(wire::INPUT, input_len as usize)?;
    let output = Output::new(ram)?;
    let l1 = L1::new(ram, without)?;
    let mut batch = Batch { ram, l1, output, program_len: 0, explain };
    batch.answer_queries()?;
    let state = batch.run(&input);
    batch.set32(header::STATE, state);
    Some(())
}

struct Batch {
    ram: Ram,
    l1: L1,
    output: Output,
    /// Bytes of the longest program so far; behind a program, RAM is zero.
    program_len: usize,
    explain: bool,
}

impl Batch {
    /// Runs the cases; the state to end in.
    fn run(&mut self, input: &[u8]) -> u32 {
        let mut rest = Reader(input);
        let mut done = 0;
        self.set32(header::STATE, state::RUNNING);
        while !rest.is_empty() {
            let Some(ops) = rest.u32().and_then(|len| rest.bytes(len as usize)) else {
                return state::BAD_INPUT;
            };
            match self.case(Reader(ops), done) {
                Ok(()) => {}
                Err(Failed::BadInput) => return state::BAD_INPUT,
                Err(Failed::Broken(Broken::Full)) => return state::FULL,
                Err(Failed::Broken(Broken::Stopped(stop))) => match stop {
                    Stop::CX_HALTED => return state::HALTED,
                    Stop::CX_SHUTDOWN => return state::SHUTDOWN,
                    _ => return state::RUNAWAY,
                },
            }
            if self.output.commit().is_none() {
                return state::FULL;
            }
            self.l1.restart();
            done += 1;
            self.set64(header::INPUT_DONE, (input.len() - rest.0.len()) as u64);
            self.set32(header::DONE, done);
        }
        state::DONE
    }

    fn case(&mut self, mut ops: Reader<'_>, number: u32) -> Done {
        while !ops.is_empty() {
            match self.step(&mut ops) {
                Err(Failed::Broken(Broken::Stopped(Stop::CX_RESET))) => {
                    return room(self.output.put(&[obs::RESET]));
                }
                Err(Failed::Broken(Broken::Stopped(Stop::CX_OPEN))) => {
                    if self.explain {
                        eprintln!("{number} {}", self.l1.cpu.why());
                    }
                    return room(self.output.put(&[obs::OPEN]));
                }
                other => other?,
            }
            self.output.publish();
        }
        Ok(())
    }

    fn step(&mut self, ops: &mut Reader<'_>) -> Done {
        match sense(ops.u8())? {
            op::WRITE => {
                let (width, pa, value) = (sense(ops.u8())?, sense(ops.u64())?, sense(ops.u64())?);
                sense(self.l1.cpu.write(pa, value, width))
            }
            op::PEEK => self.peek(ops),
            op::EXECUTE => self.execute(ops),
            op::VMRUN => self.vmrun(sense(ops.u64())?),
            op::PROGRAM => {
                let len = sense(ops.u16())?;
                self.program(sense(ops.bytes(len.into()))?)
            }
            op::RFLAGS => {
                self.l1.rflags = sense(ops.u64())? | 2;
                Ok(())
            }
            op::RAISE => self.raise(ops),
            op::WINDOW => Ok(self.l1.window(&mut self.output)?),
            // Everything is put back in any case.
            op::KEEP_WORD | op::KEEP_PAGE => sense(ops.u64()).map(|_| ()),
            op::KEEP_MSR => sense(ops.u32()).map(|_| ()),
            op::KEEP_VMLOAD => Ok(()),
            _ => Err(Failed::BadInput),
        }
    }

    fn peek(&mut self, ops: &mut Reader<'_>) -> Done {
        let (width, pa) = (usize::from(sense(ops.u8())?.min(8)), sense(ops.u64())?);
        let mut word = [0; 8];
        word[..width].copy_from_slice(&sense(self.ram.copy(pa, width))?);
        room(self.output.value(u64::from_le_bytes(word)))
    }

    fn execute(&mut self, ops: &mut Reader<'_>) -> Done {
        let (wanted, rax, len) = (sense(ops.u8())?, sense(ops.u64())?, sense(ops.u8())?);
        let code = sense(ops.bytes(len.into()))?;
        let smis = self.l1.smi_count();
        self.l1.slot(code, rax, &mut self.output)?;
        self.observe_smi(smis)?;
        if self.observe_fault()? {
            return Ok(());
        }
        let gprs = &self.l1.gprs;
        let value = match wanted {
            observe::NOTHING => return Ok(()),
            observe::RAX => gprs[0],
            observe::EDX_EAX => gprs[2] << 32 | gprs[0] & 0xffff_ffff,
            _ => return Err(Failed::BadInput),
        };
        room(self.output.value(value))
    }

    fn vmrun(&mut self, rax: u64) -> Done {
        let smis = self.l1.smi_count();
        let came_back = self.l1.vmrun(rax, &mut self.output)?;
        self.observe_smi(smis)?;
        if came_back {
            self.observe_exit(rax)?;
        }
        self.observe_fault().map(|_| ())
    }

    fn observe_exit(&mut self, vmcb: u64) -> Done {
        let mut registers = [0; HOST];
        registers[host::GPRS..host::GPRS + 16].copy_from_slice(&self.l1.gprs);
        registers[host::RFLAGS] = self.l1.rflags_after;
        let env = self.l1.cpu.env();
        registers[host::CR0] = env.cr[0];
        registers[host::CR2] = env.cr[2];
        registers[host::CR3] = env.cr[3];
        registers[host::CR4] = env.cr[4];
        registers[host::EFER] = env.efer;
        registers[host::DR6] = env.dr[6];
        registers[host::DR7] = env.dr[7];
        registers[host::CR8] = self.l1.cpu.cr8();
        registers[host::SELECTORS] = self.l1.selectors();
        room(self.output.put(&[obs::EXIT]))?;
        for register in registers {
            room(self.output.put(&register.to_le_bytes()))?;
        }
        for (offset, len) in PARTS {
            room(self.output.memory(vmcb + offset, len))?;
        }
        self.observe_l2_log()?;
        room(self.output.put(&[obs::GIF, self.l1.cpu.gif().into()]))
    }

    /// Observes what L2's stubs have logged, and empties the log.
    fn observe_l2_log(&mut self) -> Done {
        let word = |n: u64| self.ram.u64(L2_LOG + n * 8).unwrap_or(0);
        let count = word(0).min(LOG_MAX as u64);
        room(self.output.put(&[count as u8]))?;
        for n in 0..count {
            let [vector, error, rip] = [0, 1, 2].map(|i| word(1 + n * 3 + i));
            room(self.output.put(&[vector as u8]))?;
            room(self.output.put(&(error as u32).to_le_bytes()))?;
            room(self.output.put(&rip.to_le_bytes()))?;
        }
        if count > 0 {
            sense(self.l1.cpu.write(L2_LOG, 0, 8))?;
        }
        Ok(())
    }

    /// Observes the exception that ended the slot, if one did.
    fn observe_fault(&mut self) -> Result<bool, Failed> {
        let Some(fault) = self.l1.fault else { return Ok(false) };
        room(self.output.exception(fault.vector, l1::error_code(&fault)))?;
        Ok(true)
    }

    fn observe_smi(&mut self, before: u32) -> Done {
        for _ in before..self.l1.smi_count() {
            room(self.output.put(&[obs::SMI]))?;
        }
        Ok(())
    }

    fn raise(&mut self, ops: &mut Reader<'_>) -> Done {
        let (kind, vector) = (sense(ops.u8())?, sense(ops.u8())?);
        let event = match kind {
            event::INTR => Event::CX_INTR,
            event::NMI => Event::CX_NMI,
            event::INIT => Event::CX_INIT,
            event::SMI => Event::CX_SMI,
            _ => return Err(Failed::BadInput),
        };
        let smis = self.l1.smi_count();
        self.l1.raise(event, vector, &mut self.output)?;
        self.observe_smi(smis)
    }

    /// Writes L2's program.
    fn program(&mut self, code: &[u8]) -> Done {
        sense(self.ram.write(L2_CODE, code))?;
        let behind = self.program_len.saturating_sub(code.len());
        sense(self.ram.write(L2_CODE + code.len() as u64, &vec![0; behind]))?;
        self.program_len = code.len();
        Ok(())
    }

    fn answer_queries(&mut self) -> Option<()> {
        let count = self.ram.u32(MAILBOX + header::QUERIES)?;
        let count = u64::from(count).min(header::QUERY_MAX);
        for at in (0..count).map(|n| MAILBOX + header::QUERY + n * header::QUERY_SIZE) {
            let found = self.l1.cpu.cpuid(self.ram.u32(at)?, self.ram.u32(at + 4)?);
            for (register, value) in (2..).zip(found) {
                self.ram.write(at + register * 4, &value.to_le_bytes())?;
            }
        }
        Some(())
    }

    fn set32(&self, at: u64, value: u32) {
        _ = self.ram.write(MAILBOX + at, &value.to_le_bytes());
    }

    fn set64(&self, at: u64, value: u64) {
        _ = self.ram.write(MAILBOX + at, &value.to_le_bytes());
    }
}
