//! The bytes of each instruction, for 64-bit mode.
//!
//! An instruction whose operands live in registers comes as its loads, then the
//! instruction itself: RIP at an intercept or fault is [`Length::setup`] bytes
//! behind the start. Encodings have one length each, whatever the operand.

use alloc::vec::Vec;

use super::insn::{Gpr, Insn};
use super::layout::{SCRATCH, SCRATCH_GDTR, SCRATCH_IDTR};

const RAX: Gpr = 0;
const RCX: Gpr = 1;
const RDX: Gpr = 2;
const RBX: Gpr = 3;

/// How long an encoded instruction is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// The loads in front.
    pub setup: usize,
    /// The instruction itself.
    pub body: usize,
}

impl Length {
    /// Both together.
    pub const fn total(self) -> usize {
        self.setup + self.body
    }
}

/// Where encoded bytes go.
pub trait Sink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts, and keeps nothing.
struct Counter(usize);

impl Sink for Counter {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// Appends the instruction's bytes.
pub fn encode(insn: &Insn, out: &mut impl Sink) {
    setup(insn, out);
    body(insn, out);
}

/// The instruction's length, without encoding it.
pub fn length(insn: &Insn) -> Length {
    let (mut s, mut b) = (Counter(0), Counter(0));
    setup(insn, &mut s);
    body(insn, &mut b);
    Length { setup: s.0, body: b.0 }
}

/// A program's bytes: its instructions, then VMMCALL, and a UD2 that is never reached: an
/// emulator which translates ahead would go on into whatever is behind.
pub fn program(insns: &[Insn]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(insns.len() * 8 + 5);
    insns.iter().chain([&Insn::Vmmcall, &Insn::Ud2]).for_each(|i| encode(i, &mut bytes));
    bytes
}

/// A register load in front of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// The register.
    pub gpr: Gpr,
    /// The value.
    pub value: u64,
    /// MOV r64, imm64; else MOV r32, imm32, which clears the upper half.
    pub wide: bool,
}

impl Load {
    const fn wide(gpr: Gpr, value: u64) -> Load {
        Load { gpr, value, wide: true }
    }

    const fn narrow(gpr: Gpr, value: u32) -> Load {
        Load { gpr, value: value as u64, wide: false }
    }

    /// Bytes of its encoding.
    pub const fn length(self) -> u64 {
        if self.wide { 10 } else { 5 }
    }
}

/// The loads in front of one instruction.
#[derive(Clone, Copy, Debug)]
pub struct Loads {
    loads: [Load; 3],
    len: usize,
}

impl Loads {
    fn of(list: &[Load]) -> Loads {
        let mut loads = [Load::narrow(RAX, 0); 3];
        loads[..list.len()].copy_from_slice(list);
        Loads { loads, len: list.len() }
    }

    /// The loads, in order.
    pub fn iter(&self) -> impl Iterator<Item = Load> + '_ {
        self.loads[..self.len].iter().copied()
    }
}

/// The loads in front of an instruction.
pub fn loads(insn: &Insn) -> Loads {
    match *insn {
        Insn::Load(_, address)
        | Insn::Store(address)
        | Insn::LockNot(address)
        | Insn::Xchg(address)
        | Insn::Jump(address)
        | Insn::Invlpg(address) => Loads::of(&[Load::wide(RBX, address)]),
        Insn::In { port, .. } | Insn::Out { port, .. } if port > 0xff => {
            Loads::of(&[Load::narrow(RDX, port.into())])
        }
        Insn::StringIo { port, count: None, .. } => Loads::of(&[Load::narrow(RDX, port.into())]),
        Insn::StringIo { port, count: Some(count), .. } => {
            Loads::of(&[Load::narrow(RDX, port.into()), Load::wide(RCX, count)])
        }
        Insn::Invpcid(kind) => Loads::of(&[Load::wide(RBX, SCRATCH), Load::wide(RAX, kind)]),
        Insn::Rdmsr(msr) => Loads::of(&[Load::narrow(RCX, msr)]),
        Insn::Wrmsr(msr, value) => Loads::of(&[
            Load::narrow(RCX, msr),
            Load::narrow(RDX, (value >> 32) as u32),
            Load::narrow(RAX, value as u32),
        ]),
        Insn::Sidt | Insn::Sgdt => Loads::of(&[Load::wide(RBX, SCRATCH)]),
        Insn::Divide => Loads::of(&[Load::narrow(RCX, 0)]),
        Insn::Lidt => Loads::of(&[Load::wide(RBX, SCRATCH_IDTR)]),
        Insn::Lgdt => Loads::of(&[Load::wide(RBX, SCRATCH_GDTR)]),
        Insn::Lock(ref insn) => loads(insn),
        _ => Loads::of(&[]),
    }
}

fn mov64(out: &mut dyn Sink, gpr: Gpr, value: u64) {
    out.put(&[0x48 | gpr >> 3, 0xb8 | gpr & 7]);
    out.put(&value.to_le_bytes());
}

fn setup(insn: &Insn, out: &mut dyn Sink) {
    for load in loads(insn).iter() {
        if load.wide {
            mov64(out, load.gpr, load.value);
        } else {
            out.put(&[0xb8 | load.gpr & 7]);
            out.put(&(load.value as u32).to_le_bytes());
        }
    }
}

fn body(insn: &Insn, out: &mut dyn Sink) {
    match insn {
        Insn::Mov(gpr, value) => mov64(out, *gpr, *value),
        Insn::Load(gpr, _) => out.put(&[0x48 | gpr >> 3 << 2, 0x8b, 0x03 | (gpr & 7) << 3]),
        Insn::In { size, port } => port_io(out, 0xe4, *size, *port),
        Insn::Out { size, port } => port_io(out, 0xe6, *size, *port),
        Insn::StringIo { input, size, count, .. } => {
            let opcode = if *input { 0x6c } else { 0x6e } | u8::from(*size > 1);
            if count.is_some() {
                out.put(&[0xf3]);
            }
            sized(out, *size, &[opcode]);
        }
        Insn::ReadCr(n, gpr) => system_register(out, 0x20, *n, *gpr),
        Insn::WriteCr(n, gpr) => system_register(out, 0x22, *n, *gpr),
        Insn::ReadDr(n, gpr) => system_register(out, 0x21, *n, *gpr),
        Insn::WriteDr(n, gpr) => system_register(out, 0x23, *n, *gpr),
        Insn::Lmsw(gpr) => group(out, 0x01, 6, *gpr),
        Insn::Smsw(gpr) => group(out, 0x01, 4, *gpr),
        Insn::Sldt(gpr) => group(out, 0x00, 0, *gpr),
        Insn::Str(gpr) => group(out, 0x00, 1, *gpr),
        Insn::Lldt(gpr) => group(out, 0x00, 2, *gpr),
        Insn::Ltr(gpr) => group(out, 0x00, 3, *gpr),
        Insn::Int(vector) => out.put(&[0xcd, *vector]),
        Insn::TaskJump(selector) => {
            out.put(&[0xea, 0, 0, 0, 0]);
            out.put(&selector.to_le_bytes());
        }
        Insn::Shr(gpr, count) => out.put(&[0x48 | gpr >> 3, 0xc1, 0xe8 | gpr & 7, *count]),
        Insn::Mov32(gpr, value) => {
            out.put(&[0xb8 | gpr & 7]);
            out.put(&value.to_le_bytes());
        }
        Insn::Lock(insn) => {
            out.put(&[0xf0]);
            body(insn, out);
        }
        Insn::Raw(bytes) => out.put(bytes),
        fixed => out.put(fixed_bytes(fixed)),
    }
}

/// IN and OUT: the immediate form's opcode, or 8 more for the DX form.
fn port_io(out: &mut dyn Sink, opcode: u8, size: u8, port: u16) {
    let opcode = opcode | u8::from(size > 1);
    match u8::try_from(port) {
        Ok(port) => sized(out, size, &[opcode, port]),
        Err(_) => sized(out, size, &[opcode | 8]),
    }
}

/// An operand-size prefix for 2 bytes.
fn sized(out: &mut dyn Sink, size: u8, bytes: &[u8]) {
    if size == 2 {
        out.put(&[0x66]);
    }
    out.put(bytes);
}

/// MOV to or from CRn and DRn.
fn system_register(out: &mut dyn Sink, opcode: u8, n: u8, gpr: Gpr) {
    let rex = 0x40 | n >> 3 << 2 | gpr >> 3;
    if rex != 0x40 {
        out.put(&[rex]);
    }
    out.put(&[0x0f, opcode, 0xc0 | (n & 7) << 3 | gpr & 7]);
}

/// `0F opcode /reg` with a register operand.
fn group(out: &mut dyn Sink, opcode: u8, reg: u8, gpr: Gpr) {
    if gpr > 7 {
        out.put(&[0x41]);
    }
    out.put(&[0x0f, opcode, 0xc0 | reg << 3 | gpr & 7]);
}

/// Instructions without an operand of their own.
fn fixed_bytes(insn: &Insn) -> &'static [u8] {
    match insn {
        Insn::Store(_) => &[0x48, 0x89, 0x03],
        Insn::LockNot(_) => &[0xf0, 0x48, 0xf7, 0x13],
        Insn::Xchg(_) => &[0x48, 0x87, 0x03],
        Insn::Jump(_) => &[0xff, 0xe3],
        Insn::Nop => &[0x90],
        Insn::Vmrun => &[0x0f, 0x01, 0xd8],
        Insn::Vmmcall => &[0x0f, 0x01, 0xd9],
        Insn::Vmload => &[0x0f, 0x01, 0xda],
        Insn::Vmsave => &[0x0f, 0x01, 0xdb],
        Insn::Stgi => &[0x0f, 0x01, 0xdc],
        Insn::Clgi => &[0x0f, 0x01, 0xdd],
        Insn::Skinit => &[0x0f, 0x01, 0xde],
        Insn::Invlpga => &[0x0f, 0x01, 0xdf],
        Insn::Cpuid => &[0x0f, 0xa2],
        Insn::Hlt => &[0xf4],
        Insn::Pause => &[0xf3, 0x90],
        Insn::Sti => &[0xfb],
        Insn::Cli => &[0xfa],
        Insn::Rdtsc => &[0x0f, 0x31],
        Insn::Rdtscp => &[0x0f, 0x01, 0xf9],
        Insn::Rdpmc => &[0x0f, 0x33],
        Insn::Pushf => &[0x9c],
        Insn::Popf => &[0x9d],
        Insn::Iret => &[0x48, 0xcf],
        Insn::Rsm => &[0x0f, 0xaa],
        Insn::Int3 => &[0xcc],
        Insn::Into => &[0xce],
        Insn::Icebp => &[0xf1],
        Insn::Divide => &[0xf7, 0xf1],
        Insn::Fnop => &[0xd9, 0xd0],
        Insn::Ud2 => &[0x0f, 0x0b],
        Insn::Invd => &[0x0f, 0x08],
        Insn::Wbinvd => &[0x0f, 0x09],
        Insn::Wbnoinvd => &[0xf3, 0x0f, 0x09],
        Insn::Invlpg(_) => &[0x0f, 0x01, 0x3b],
        Insn::Invpcid(_) => &[0x66, 0x0f, 0x38, 0x82, 0x03],
        Insn::Invlpgb => &[0x0f, 0x01, 0xfe],
        Insn::Tlbsync => &[0x0f, 0x01, 0xff],
        Insn::Mcommit => &[0xf3, 0x0f, 0x01, 0xfa],
        Insn::Monitor => &[0x0f, 0x01, 0xc8],
        Insn::Mwait => &[0x0f, 0x01, 0xc9],
        Insn::Xsetbv => &[0x0f, 0x01, 0xd1],
        Insn::Rdpru => &[0x0f, 0x01, 0xfd],
        Insn::Rdmsr(_) => &[0x0f, 0x32],
        Insn::Wrmsr(..) => &[0x0f, 0x30],
        Insn::Clts => &[0x0f, 0x06],
        Insn::Sgdt => &[0x0f, 0x01, 0x03],
        Insn::Sidt => &[0x0f, 0x01, 0x0b],
        Insn::Lgdt => &[0x0f, 0x01, 0x13],
        Insn::Lidt => &[0x0f, 0x01, 0x1b],
        // The rest have operands and are written by `body`.
        _ => &[],
    }
}
