//! What the harness and the conformance guest say to each other in memory.
//!
//! The guest's RAM is a file that both see. The harness writes a [`header`] and
//! a run of encoded cases at [`MAILBOX`]; the guest runs them in order, writes
//! their observations to the output area, and counts the finished ones in the
//! header, so that the harness knows where it stopped if it stops.
//!
//! Numbers are little-endian and unaligned. This file stands alone: the guest
//! includes it without the rest of the crate.

/// Physical address of the header; the input follows it a page later.
pub const MAILBOX: u64 = 0x100_0000;
/// Physical address of the input.
pub const INPUT: u64 = MAILBOX + 0x1000;
/// First quadword of the header: `SVMCASES`.
pub const MAGIC: u64 = u64::from_le_bytes(*b"SVMCASES");
/// Version of everything in this file; raised with every change.
pub const VERSION: u32 = 1;

/// Where things are in the header, in bytes from [`MAILBOX`].
pub mod header {
    /// [`super::MAGIC`], 8 bytes.
    pub const MAGIC: u64 = 0x00;
    /// [`super::VERSION`], 4 bytes.
    pub const VERSION: u64 = 0x08;
    /// One of [`super::state`], 4 bytes.
    pub const STATE: u64 = 0x0c;
    /// How many cases the input holds, 4 bytes.
    pub const CASES: u64 = 0x10;
    /// How many cases are finished, 4 bytes; written by the guest.
    pub const DONE: u64 = 0x14;
    /// Bytes of input, 8 bytes.
    pub const INPUT_LEN: u64 = 0x18;
    /// Bytes of input that finished cases took, 8 bytes; written by the guest.
    pub const INPUT_DONE: u64 = 0x20;
    /// Physical address of the output area, 8 bytes.
    pub const OUTPUT: u64 = 0x28;
    /// Size of the output area, 8 bytes.
    pub const OUTPUT_CAP: u64 = 0x30;
    /// Bytes of output that finished cases made, 8 bytes; written by the guest.
    pub const OUTPUT_LEN: u64 = 0x38;
    /// Bytes of output with those of the case being run, 8 bytes; written by the guest.
    pub const OUTPUT_PART: u64 = 0x40;
    /// Why the guest gave up: vector (4 bytes), error code (4), RIP (8), CR2 (8).
    pub const PANIC: u64 = 0x48;
    /// How many CPUID queries follow, 4 bytes.
    pub const QUERIES: u64 = 0x60;
    /// The queries: leaf and subleaf (4 bytes each), then EAX, EBX, ECX and EDX
    /// (4 bytes each) as the guest found them.
    pub const QUERY: u64 = 0x64;
    /// Bytes of one query.
    pub const QUERY_SIZE: u64 = 24;
    /// How many queries fit.
    pub const QUERY_MAX: u64 = 64;
}

/// States of a batch.
pub mod state {
    /// Written by the harness: ready to run.
    pub const READY: u32 = 1;
    /// Running a case.
    pub const RUNNING: u32 = 2;
    /// Undoing what a case did; its observations are complete.
    pub const UNDOING: u32 = 3;
    /// All cases are finished.
    pub const DONE: u32 = 4;
    /// The last finished case left a world that cannot be undone; the rest wants a new boot.
    pub const SPOILT: u32 = 5;
    /// The guest met an exception of its own; see [`super::header::PANIC`].
    pub const PANIC: u32 = 6;
    /// The header or a case makes no sense to the guest.
    pub const BAD_INPUT: u32 = 7;
    /// The output area is full.
    pub const FULL: u32 = 8;
    /// The CPU has no SVM, or SVM is locked off.
    pub const NO_SVM: u32 = 9;
    /// The case has halted the CPU, and nothing wakes it. This and the next two
    /// come from the executor `c`, which can tell.
    pub const HALTED: u32 = 10;
    /// The case does not come to an end.
    pub const RUNAWAY: u32 = 11;
    /// The case has shut the CPU down.
    pub const SHUTDOWN: u32 = 12;
}

/// Opcodes of a case. A case is a 4-byte length, then that many bytes of
/// operations: the opcode in one byte, then its operands.
pub mod op {
    /// Writes memory, and puts it back afterwards: width (1 byte), address (8), value (8).
    pub const WRITE: u8 = 1;
    /// Reads memory, observed: width (1), address (8).
    pub const PEEK: u8 = 2;
    /// Executes instructions in L1: what to observe (1, see [`super::observe`]), RAX (8), length (1), bytes.
    pub const EXECUTE: u8 = 3;
    /// VMRUN, observed: RAX (8).
    pub const VMRUN: u8 = 4;
    /// Writes L2's program: length (2), bytes.
    pub const PROGRAM: u8 = 5;
    /// RFLAGS for what L1 executes: value (8).
    pub const RFLAGS: u8 = 6;
    /// Makes an event pending: kind (1, see [`super::event`]), vector (1).
    pub const RAISE: u8 = 7;
    /// Opens a window for interrupts.
    pub const WINDOW: u8 = 8;
    /// Puts back 8 bytes afterwards: address (8).
    pub const KEEP_WORD: u8 = 9;
    /// Puts back a page afterwards: address (8).
    pub const KEEP_PAGE: u8 = 10;
    /// Puts back an MSR afterwards: number (4).
    pub const KEEP_MSR: u8 = 11;
    /// Puts back afterwards what VMLOAD loads.
    pub const KEEP_VMLOAD: u8 = 12;
}

/// What [`op::EXECUTE`] observes if nothing faults.
pub mod observe {
    /// Nothing.
    pub const NOTHING: u8 = 0;
    /// RAX.
    pub const RAX: u8 = 1;
    /// EDX:EAX.
    pub const EDX_EAX: u8 = 2;
}

/// Kinds of [`op::RAISE`].
pub mod event {
    /// Fixed interrupt.
    pub const INTR: u8 = 0;
    /// NMI.
    pub const NMI: u8 = 1;
    /// INIT.
    pub const INIT: u8 = 2;
    /// SMI.
    pub const SMI: u8 = 3;
}

/// Tags of the output. The observations of a case end with [`obs::END`].
pub mod obs {
    /// No more observations of this case.
    pub const END: u8 = 0;
    /// Exception in L1: vector (1), whether it has an error code (1), error code (4).
    pub const EXCEPTION: u8 = 1;
    /// Interrupt in L1: vector (1).
    pub const INTERRUPT: u8 = 2;
    /// NMI in L1.
    pub const NMI: u8 = 3;
    /// SMI in L1.
    pub const SMI: u8 = 4;
    /// The CPU was reset; the case is over.
    pub const RESET: u8 = 5;
    /// A value read: 8 bytes.
    pub const VALUE: u8 = 6;
    /// VMRUN came back: [`super::HOST`] quadwords, the VMCB's two parts, then L2's
    /// log: entries (1), each vector (1), error code (4), RIP (8).
    pub const EXIT: u8 = 7;
    /// The executor cannot tell what happens from here on; the case is over.
    pub const OPEN: u8 = 8;
    /// GIF right after the exit before it, where the executor can see it: 1 byte.
    pub const GIF: u8 = 9;
}

/// Registers in [`obs::EXIT`], in this order.
pub mod host {
    /// RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15.
    pub const GPRS: usize = 0;
    /// RFLAGS.
    pub const RFLAGS: usize = 16;
    /// CR0.
    pub const CR0: usize = 17;
    /// CR2.
    pub const CR2: usize = 18;
    /// CR3.
    pub const CR3: usize = 19;
    /// CR4.
    pub const CR4: usize = 20;
    /// CR8.
    pub const CR8: usize = 21;
    /// EFER.
    pub const EFER: usize = 22;
    /// DR6.
    pub const DR6: usize = 23;
    /// DR7.
    pub const DR7: usize = 24;
    /// CS, SS, DS and ES selectors, 16 bits each from bit 0.
    pub const SELECTORS: usize = 25;
}

/// How many quadwords of registers [`obs::EXIT`] has.
pub const HOST: usize = 26;
/// The parts of the VMCB that [`obs::EXIT`] has: offset and bytes.
pub const PARTS: [(u64, usize); 2] = [(0, 0x130), (0x400, 0x300)];
/// Most entries of L2's log that [`obs::EXIT`] has.
pub const LOG_MAX: usize = 16;
/// Most bytes of output that one operation makes.
pub const EXIT_MAX: usize = 2 + 8 * HOST + PARTS[0].1 + PARTS[1].1 + LOG_MAX * 13;

/// The port of QEMU's `isa-debug-exit` that ends a run.
pub const EXIT_PORT: u16 = 0xf4;
/// What the guest writes there; QEMU then exits with twice that plus one.
pub const EXIT_VALUE: u32 = 0x10;

/// Takes numbers off the front of bytes; `None` where they have run out.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        Some(self.bytes(1)?[0])
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.bytes(2)?.try_into().ok()?))
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(4)?.try_into().ok()?))
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.bytes(8)?.try_into().ok()?))
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
