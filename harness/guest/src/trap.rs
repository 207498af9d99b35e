//! Exceptions, NMIs and interrupts of L1.

use core::arch::global_asm;

use crate::execute::CONTEXT;
use crate::layout::{L1_IDT, L2_TSS};
use crate::wire::{header, obs, state};
use crate::{apic, mailbox, output};

/// What the stubs have pushed, lowest address first.
#[repr(C)]
struct Frame {
    /// In the order of `Context::gprs`; RSP's place is not used.
    gprs: [u64; 16],
    vector: u64,
    error: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

const NMI: u8 = 2;
/// The lowest vector that an APIC can deliver.
const FIRST_INTERRUPT: u8 = 16;

/// Bytes between two stubs.
const STUB: u64 = 16;
/// Bytes of each interrupt stack.
const STACK: usize = 0x4000;

unsafe extern "C" {
    static trap_stubs: [u8; 0];
    static trap_stacks: [u8; 0];
}

const fn has_error_code(vector: u8) -> bool {
    matches!(vector, 8 | 10..=14 | 17 | 21 | 29 | 30)
}

/// Fills L1's IDT and the interrupt stacks of the TSS: the first for exceptions
/// and interrupts, the second for NMIs, which may come while a handler runs.
pub(crate) fn init() {
    for vector in 0..=255u8 {
        // SAFETY: the address alone is used.
        let stub = unsafe { trap_stubs.as_ptr() } as u64 + u64::from(vector) * STUB;
        let stack = if vector == NMI { 2 } else { 1 };
        let low =
            stub & 0xffff | 0x08 << 16 | stack << 32 | 0x8e << 40 | (stub >> 16 & 0xffff) << 48;
        let gate = (L1_IDT + u64::from(vector) * 16) as *mut u64;
        // SAFETY: the IDT's page is L1's own.
        unsafe {
            gate.write(low);
            gate.add(1).write(stub >> 32);
        }
    }
    for n in 1..=2u64 {
        // SAFETY: the address alone is used.
        let top = unsafe { trap_stacks.as_ptr() } as u64 + n * STACK as u64;
        // SAFETY: these words of the TSS (IST1 and IST2) are L1's own.
        unsafe { ((L2_TSS + 0x24 + (n - 1) * 8) as *mut u64).write_unaligned(top) };
    }
    // SAFETY: the IDT is complete.
    unsafe { core::arch::asm!("lidt [rip + l1_idtr]") };
}

/// Observes what came, and says whether the slot is over (1) or goes on (0).
extern "C" fn trap(frame: &Frame) -> u64 {
    let vector = frame.vector as u8;
    // SAFETY: the code that was interrupted holds no reference while the slot
    // runs, in a window, or right after an ICR write; elsewhere it is the end.
    let context = unsafe { CONTEXT.get() };
    let silent = mailbox::get32(header::STATE) == state::UNDOING;
    if vector == NMI {
        if !silent {
            output::put(&[obs::NMI]);
        }
        return 0;
    }
    if vector >= FIRST_INTERRUPT && apic::in_service(vector) {
        apic::end();
        if !silent {
            output::put(&[obs::INTERRUPT, vector]);
        }
        return 0;
    }
    if context.running == 0 {
        mailbox::give_up(vector.into(), frame.error as u32, frame.rip);
    }
    context.fault = vector.into();
    context.fault_rip = frame.rip;
    context.fault_error = frame.error;
    context.gprs = frame.gprs;
    context.gprs[4] = frame.rsp;
    context.rflags_after = frame.rflags;
    1
}

/// Observes the exception that ended the slot, if one did.
pub(crate) fn observe_fault() -> bool {
    // SAFETY: the slot is over; no other reference is alive.
    let context = unsafe { CONTEXT.get() };
    let Ok(vector) = u8::try_from(context.fault) else { return false };
    output::exception(vector, has_error_code(vector).then_some(context.fault_error as u32));
    true
}

global_asm!(
    ".text",
    ".balign 16",
    "trap_stubs:",
    ".set vector, 0",
    ".rept 256",
    ".balign 16",
    ".if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)",
    "push 0",
    ".endif",
    "push vector",
    "jmp trap_common",
    ".set vector, vector + 1",
    ".endr",
    "trap_common:",
    "push r15",
    "push r14",
    "push r13",
    "push r12",
    "push r11",
    "push r10",
    "push r9",
    "push r8",
    "push rdi",
    "push rsi",
    "push rbp",
    "push rsp",
    "push rbx",
    "push rdx",
    "push rcx",
    "push rax",
    "cld",
    "mov rdi, rsp",
    // This program's own code needs TS and EM clear, and OSFXSR.
    "mov r12, cr0",
    "test r12b, 0x0c",
    "jz 2f",
    "mov rax, r12",
    "and al, 0xf3",
    "mov cr0, rax",
    "2: mov r13, cr4",
    "test r13d, 0x200",
    "jnz 2f",
    "mov rax, r13",
    "or eax, 0x200",
    "mov cr4, rax",
    // The ABI wants RSP in step: 23 quadwords are on a stack that began so.
    "2: sub rsp, 8",
    "call {trap}",
    "add rsp, 8",
    "test r12b, 0x0c",
    "jz 2f",
    "mov cr0, r12",
    "2: test r13d, 0x200",
    "jnz 2f",
    "mov cr4, r13",
    "2:",
    "test eax, eax",
    "jnz execute_end",
    "pop rax",
    "pop rcx",
    "pop rdx",
    "pop rbx",
    "lea rsp, [rsp + 8]",
    "pop rbp",
    "pop rsi",
    "pop rdi",
    "pop r8",
    "pop r9",
    "pop r10",
    "pop r11",
    "pop r12",
    "pop r13",
    "pop r14",
    "pop r15",
    "add rsp, 16",
    "iretq",
    ".section .bss",
    ".balign 16",
    "trap_stacks: .skip 2 * {stack}",
    ".text",
    trap = sym trap,
    stack = const STACK,
);
