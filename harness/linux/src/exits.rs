//! What exits of an L2 cost that does nothing else.

use std::time::{Duration, Instant};

use kvm_bindings::kvm_regs;
use kvm_ioctls::{Kvm, VcpuExit};
use rustix::mm::{Advice, madvise};
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend};

use crate::guest::{Board, Guest};
use crate::{Context, Result, report};

/// How often an L2 exits for one sample: some two milliseconds on stock QEMU, so
/// that on a busy machine most samples are not interrupted.
const TRIPS: u64 = 16;
/// Samples; the median is told.
const SAMPLES: u64 = 101;
/// L2's memory, in MiB: below [`PAGES`], and a page for every trip of every sample.
const MEMORY: usize = 8;
/// Where its program is.
const PROGRAM: u64 = 0x1000;
/// From where on it touches fresh pages.
const PAGES: u64 = 0x10_0000;
const _: () = assert!(PAGES + (SAMPLES + 1) * TRIPS * 4096 <= (MEMORY as u64) << 20);
/// The port that says that it is done.
const DONE: u8 = 0xf4;

/// An exit: its name, and what L2 executes for it. ESI counts and EDI points to
/// fresh pages; all else is free.
///
/// KVM itself handles `cpuid`, `npf`, `rdmsr` and `vmmcall` (an unknown
/// hypercall); `in`, `mmio` and `out` go to this program.
const EXITS: [(&str, &[u8]); 7] = [
    // XOR EAX, EAX; CPUID.
    ("cpuid", &[0x31, 0xc0, 0x0f, 0xa2]),
    // IN AL, 80h.
    ("in", &[0xe4, 0x80]),
    // MOV AL, [D0000000h].
    ("mmio", &[0xa0, 0x00, 0x00, 0x00, 0xd0]),
    // MOV [EDI], ESI; ADD EDI, 1000h.
    ("npf", &[0x89, 0x37, 0x81, 0xc7, 0x00, 0x10, 0x00, 0x00]),
    // OUT 80h, AL.
    ("out", &[0xe6, 0x80]),
    // MOV ECX, 1Bh (APIC_BASE); RDMSR.
    ("rdmsr", &[0xb9, 0x1b, 0x00, 0x00, 0x00, 0x0f, 0x32]),
    // MOV EAX, 7FFFh; VMMCALL.
    ("vmmcall", &[0xb8, 0xff, 0x7f, 0x00, 0x00, 0x0f, 0x01, 0xd9]),
];

/// Tells for each exit what it costs, in nanoseconds. What a sample costs without
/// any, entering L2 and leaving it, is not counted.
pub(crate) fn measure(kvm: &Kvm) -> Result<()> {
    let nothing = median(kvm, &[])?;
    for (name, body) in EXITS {
        let took = median(kvm, body).map_err(|e| format!("{name}: {e}"))?;
        let each = took.saturating_sub(nothing).as_nanos() as f64 / TRIPS as f64;
        report::line(format_args!("exit-{name} {each:.1}"));
    }
    Ok(())
}

/// The median of all samples of a program.
fn median(kvm: &Kvm, body: &[u8]) -> Result<Duration> {
    let mut guest = prepared(kvm, &program(body))?;
    // The first is not counted: it fills KVM's tables and QEMU's.
    let samples = (0..=SAMPLES).map(|n| sample(&mut guest, PAGES + n * TRIPS * 4096));
    let mut samples = samples.skip(1).collect::<Result<Vec<_>>>()?;
    samples.sort();
    Ok(samples[samples.len() / 2])
}

/// `body`, until ESI is 0; then an OUT to [`DONE`].
fn program(body: &[u8]) -> Vec<u8> {
    // DEC ESI; JNZ to the start.
    let mut program = body.to_vec();
    program.extend([0x4e, 0x0f, 0x85]);
    let end = program.len() as i32 + 4;
    program.extend((-end).to_le_bytes());
    program.extend([0xe6, DONE]);
    program
}

/// A machine with that program, whose memory is there for L1 but not for L2.
fn prepared(kvm: &Kvm, program: &[u8]) -> Result<Guest> {
    let guest = Guest::new(kvm, Board::Bare, MEMORY)?;
    let start = guest.memory.get_host_address(GuestAddress(0)).doing("finding L2's memory")?;
    // SAFETY: it is the mapping of `memory`, all of it, and advice that does not
    // change what it holds. Large pages would make one nested fault of hundreds.
    unsafe { madvise(start.cast(), MEMORY << 20, Advice::LinuxNoHugepage) }
        .doing("asking for small pages")?;
    let zeros = vec![0; (MEMORY << 20) - PROGRAM as usize];
    guest.memory.write_slice(&zeros, GuestAddress(PROGRAM)).doing("touching L2's memory")?;
    guest.memory.write_slice(program, GuestAddress(PROGRAM)).doing("placing L2's program")?;
    Ok(guest)
}

/// Runs the program once, which may touch the pages from `fresh` on.
fn sample(guest: &mut Guest, fresh: u64) -> Result<Duration> {
    guest.set(kvm_regs { rip: PROGRAM, rsi: TRIPS, rdi: fresh, ..kvm_regs::default() })?;
    let start = Instant::now();
    loop {
        match guest.vcpu.run().doing("running L2")? {
            VcpuExit::IoOut(port, _) if port == u16::from(DONE) => return Ok(start.elapsed()),
            VcpuExit::IoOut(..) => {}
            VcpuExit::IoIn(_, data) | VcpuExit::MmioRead(_, data) => data.fill(0),
            other => return Err(format!("L2 ended with {other:?}")),
        }
    }
}
