//! L1: what the conformance guest's code is in a whole machine.

use crate::layout::{
    HSAVE, L1_CR0, L1_CR4, L1_EFER, L1_GDT, L1_IDT, L1_STACK, L1PT, L2_TSS, VMCB, gpr,
};
use crate::output::Output;
use crate::qemu::{Cpu, CpuidBit, Event, RSP, Stop, segment};
use crate::ram::Ram;
use crate::wire::obs;

/// Where the instructions of a step go.
const SLOT: u64 = 0x60_0000;
/// Instructions behind them, in which what is pending may still come.
const TAIL: [u8; 2] = [0x90, 0x90];
/// Tops of the interrupt stacks: exceptions and interrupts, and NMIs.
const STACKS: [u64; 2] = [0x68_0000, 0x6c_0000];
/// Where L1's gates lead. There is an IRETQ, with which interrupts return.
const STUBS: u64 = 0x70_0000;
const STUB: u64 = 16;
const IRETQ: [u8; 2] = [0x48, 0xcf];
const NMI: u8 = 2;
/// The lowest vector that an APIC can deliver.
const FIRST_INTERRUPT: u8 = 16;
/// Where SMM begins after reset, and what the handler there does: it counts.
const SMI_HANDLER: u64 = 0x3_8000;
const SMI_COUNT: u64 = 0x500;
const SMI_CODE: [u8; 7] = [0x66, 0xff, 0x06, 0x00, 0x05, 0x0f, 0xaa];
/// More instructions than any case that ends.
const BUDGET: u32 = 100_000;

/// An exception that ended a slot.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) vector: u8,
    pub(crate) error: u32,
    pub(crate) rip: u64,
}

/// Why a case cannot go on.
pub(crate) enum Broken {
    /// The CPU, for one of the reasons it has.
    Stopped(Stop),
    /// The output area is full.
    Full,
}

/// L1 on its CPU.
pub(crate) struct L1 {
    pub(crate) cpu: Cpu,
    ram: Ram,
    /// RFLAGS that slots begin with.
    pub(crate) rflags: u64,
    /// The exception that ended the last slot.
    pub(crate) fault: Option<Fault>,
    /// RFLAGS behind the last slot.
    pub(crate) rflags_after: u64,
    /// The registers behind the last slot, RAX, RCX, RDX, RBX, RSP, …
    pub(crate) gprs: [u64; 16],
}

impl L1 {
    /// L1 as each case finds it. `None` if RAM is too small.
    pub(crate) fn new(ram: Ram, without: &[CpuidBit]) -> Option<L1> {
        write_world(ram)?;
        let cpu = Cpu::new(ram, without);
        let mut l1 = L1 { cpu, ram, rflags: 2, fault: None, rflags_after: 2, gprs: [0; 16] };
        l1.cpu.stubs(STUBS, STUB);
        l1.cpu.become_l1(L1_CR0, L1PT, L1_CR4, L1_EFER);
        l1.tables();
        // WRMSR of VM_HSAVE_PA, then VMLOAD of the baseline.
        let mut output = Output::new(ram)?;
        let wrmsr = [&[0xb9, 0x17, 0x01, 0x01, 0xc0, 0x31, 0xd2][..], &[0x0f, 0x30]].concat();
        l1.slot(&wrmsr, HSAVE, &mut output).ok()?;
        l1.slot(&[0x0f, 0x01, 0xda], VMCB, &mut output).ok()?;
        l1.cpu.keep_start();
        Some(l1)
    }

    /// Undoes the case.
    pub(crate) fn restart(&mut self) {
        self.cpu.restart();
        self.rflags = 2;
        self.fault = None;
    }

    /// Executes instructions with that RAX.
    pub(crate) fn slot(
        &mut self,
        code: &[u8],
        rax: u64,
        output: &mut Output,
    ) -> Result<(), Broken> {
        self.execute(code, rax, true, output)
    }

    fn execute(
        &mut self,
        code: &[u8],
        rax: u64,
        iret: bool,
        output: &mut Output,
    ) -> Result<(), Broken> {
        let code_end = SLOT + code.len() as u64;
        let end = code_end + TAIL.len() as u64;
        _ = self.ram.write(SLOT, code);
        _ = self.ram.write(code_end, &TAIL);
        for (n, register) in self.cpu.env().regs.iter_mut().enumerate() {
            *register = gpr(n as u8);
        }
        self.cpu.env().regs[0] = rax;
        self.fault = None;
        self.cpu.enter(SLOT, L1_STACK, self.rflags, iret);
        let mut stop = self.cpu.run(code_end, false, BUDGET);
        if matches!(stop, Stop::CX_DONE) && !self.cpu.quiet() {
            stop = self.cpu.run(end, true, BUDGET);
        }
        while matches!(stop, Stop::CX_TRAP) && self.trap(output)? {
            stop = self.cpu.run(end, true, BUDGET);
        }
        self.tables();
        match stop {
            Stop::CX_DONE => self.keep_registers(),
            Stop::CX_TRAP => {}
            stop => return Err(Broken::Stopped(stop)),
        }
        Ok(())
    }

    /// VMRUN; whether it came back through #VMEXIT.
    pub(crate) fn vmrun(&mut self, rax: u64, output: &mut Output) -> Result<bool, Broken> {
        self.slot(&[0x0f, 0x01, 0xd8], rax, output)?;
        Ok(self.fault.is_none_or(|fault| fault.rip != SLOT))
    }

    /// Raises an event and lets it come, if it may with IF clear.
    pub(crate) fn raise(
        &mut self,
        event: Event,
        vector: u8,
        output: &mut Output,
    ) -> Result<(), Broken> {
        self.cpu.raise(event, vector);
        self.with_plain_flags(&[], output)
    }

    /// STI; NOP; CLI.
    pub(crate) fn window(&mut self, output: &mut Output) -> Result<(), Broken> {
        self.with_plain_flags(&[0xfb, 0x90, 0xfa], output)
    }

    fn with_plain_flags(&mut self, code: &[u8], output: &mut Output) -> Result<(), Broken> {
        let rflags = std::mem::replace(&mut self.rflags, 2);
        // The guest goes on with its own code there, without an IRETQ.
        let ran = self.execute(code, 0, false, output);
        self.rflags = rflags;
        ran
    }

    /// How many SMIs there were.
    pub(crate) fn smi_count(&self) -> u32 {
        self.ram.u32(SMI_COUNT).unwrap_or(0)
    }

    /// CS, SS, DS and ES.
    pub(crate) fn selectors(&mut self) -> u64 {
        let segments = &self.cpu.env().segs;
        [segment::CS, segment::SS, segment::DS, segment::ES]
            .iter()
            .rev()
            .fold(0, |all, s| all << 16 | u64::from(segments[*s].selector & 0xffff))
    }

    /// At a stub: observes an interrupt, and says whether to go on; or notes
    /// the exception.
    fn trap(&mut self, output: &mut Output) -> Result<bool, Broken> {
        let env = self.cpu.env();
        let (vector, rsp) = (((env.eip - STUBS) / STUB) as u8, env.regs[RSP]);
        if vector == NMI {
            output.put(&[obs::NMI]).ok_or(Broken::Full)?;
            return Ok(true);
        }
        if vector >= FIRST_INTERRUPT && self.cpu.end_interrupt(vector) {
            output.put(&[obs::INTERRUPT, vector]).ok_or(Broken::Full)?;
            return Ok(true);
        }
        let word = |n: u64| self.ram.u64(rsp + n * 8).unwrap_or(0);
        let (error, frame) = if has_error_code(vector) { (word(0) as u32, 1) } else { (0, 0) };
        self.fault = Some(Fault { vector, error, rip: word(frame) });
        let (rflags, rsp) = (word(frame + 2), word(frame + 3));
        self.keep_registers();
        self.rflags_after = rflags;
        self.gprs[RSP] = rsp;
        Ok(false)
    }

    fn keep_registers(&mut self) {
        self.gprs = self.cpu.env().regs;
        self.rflags_after = self.cpu.rflags();
    }

    fn tables(&mut self) {
        self.cpu.tables((L1_GDT, 0x3f), (L1_IDT, 0xfff));
    }
}

/// The error code of an exception, if its vector has one.
pub(crate) fn error_code(fault: &Fault) -> Option<u32> {
    has_error_code(fault.vector).then_some(fault.error)
}

const fn has_error_code(vector: u8) -> bool {
    matches!(vector, 8 | 10..=14 | 17 | 21 | 29 | 30)
}

/// What L1 has in memory that the harness does not write: its IDT, stubs, the
/// interrupt stacks in the TSS, and the SMI handler.
fn write_world(ram: Ram) -> Option<()> {
    for vector in 0..=255u8 {
        let stub = STUBS + u64::from(vector) * STUB;
        let stack = if vector == NMI { 2 } else { 1 };
        let low =
            stub & 0xffff | 0x08 << 16 | stack << 32 | 0x8e << 40 | (stub >> 16 & 0xffff) << 48;
        let gate = L1_IDT + u64::from(vector) * 16;
        ram.write(gate, &low.to_le_bytes())?;
        ram.write(gate + 8, &(stub >> 32).to_le_bytes())?;
        ram.write(stub, &IRETQ)?;
    }
    for (n, top) in (0..).zip(STACKS) {
        ram.write(L2_TSS + 0x24 + n * 8, &top.to_le_bytes())?;
    }
    ram.write(SMI_HANDLER, &SMI_CODE)
}
