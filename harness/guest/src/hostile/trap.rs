//! L1's IDT: an exception ends the attempt, everything else is counted.

use core::arch::{asm, global_asm};

use crate::layout::L1_IDT;

/// Bytes between two stubs.
const STUB: u64 = 16;
/// Bytes of each interrupt stack.
const STACK: usize = 0x1000;

unsafe extern "C" {
    static hostile_stubs: [u8; 0];
    static hostile_stacks: [u8; 0];
    static mut hostile_tss: [u8; 0x68];
    static hostile_counts: [u64; 2];
}

/// Fills the IDT and L1's TSS, whose first interrupt stack serves everything but NMIs.
pub(crate) fn init() {
    for vector in 0..256u64 {
        // SAFETY: the address alone is used.
        let stub = unsafe { hostile_stubs.as_ptr() } as u64 + vector * STUB;
        let stack = if vector == 2 { 2 } else { 1 };
        let low =
            stub & 0xffff | 0x08 << 16 | stack << 32 | 0x8e << 40 | (stub >> 16 & 0xffff) << 48;
        let gate = (L1_IDT + vector * 16) as *mut u64;
        // SAFETY: the IDT's page is L1's own.
        unsafe {
            gate.write(low);
            gate.add(1).write(stub >> 32);
        }
    }
    for n in 1..=2u64 {
        // SAFETY: the address alone is used.
        let top = unsafe { hostile_stacks.as_ptr() } as u64 + n * STACK as u64;
        // SAFETY: these words of the TSS (IST1 and IST2) are L1's own.
        unsafe { ((tss() + 0x24 + (n - 1) * 8) as *mut u64).write_unaligned(top) };
    }
    load();
}

/// Loads the IDT.
pub(crate) fn load() {
    // SAFETY: the IDT is complete.
    unsafe { asm!("lidt [rip + hostile_idtr]", options(nostack)) };
}

/// L1's TSS.
pub(crate) fn tss() -> u64 {
    (&raw const hostile_tss) as u64
}

/// Exceptions, and all else, since the start of this program's image.
pub(crate) fn counts() -> [u64; 2] {
    // SAFETY: the handlers write it; a torn pair does no harm.
    unsafe { (&raw const hostile_counts).read_volatile() }
}

/// Shuts the CPU down, which resets the machine.
pub(crate) fn shut_down() -> ! {
    // SAFETY: without an IDT, an exception ends it.
    unsafe { asm!("push 0", "push 0", "lidt [rsp]", "2: ud2", "jmp 2b", options(noreturn)) }
}

// Vectors from 32 on are interrupts, 2 is the NMI, and 18 is a machine check;
// they return. All others end the attempt, wherever they come from.
global_asm!(
    ".text",
    ".balign 16",
    "hostile_stubs:",
    ".set vector, 0",
    ".rept 256",
    ".balign 16",
    ".if vector >= 32",
    "jmp hostile_interrupt",
    ".elseif vector == 2 || vector == 18",
    "jmp hostile_event",
    ".else",
    "jmp hostile_exception",
    ".endif",
    ".set vector, vector + 1",
    ".endr",
    "hostile_interrupt:",
    "push rax",
    "mov eax, 0xfee000b0",
    "mov dword ptr [rax], 0",
    "inc qword ptr [rip + hostile_counts + 8]",
    "pop rax",
    "iretq",
    "hostile_event:",
    "inc qword ptr [rip + hostile_counts + 8]",
    "iretq",
    "hostile_exception:",
    "inc qword ptr [rip + hostile_counts]",
    "jmp hostile_back",
    ".balign 8",
    ".global hostile_idtr",
    "hostile_idtr: .word 0xfff",
    ".quad {idt}",
    ".section .bss",
    ".balign 16",
    "hostile_stacks: .skip 2 * {stack}",
    "hostile_counts: .skip 16",
    ".balign 16",
    "hostile_tss: .skip 0x68",
    ".text",
    idt = const L1_IDT,
    stack = const STACK,
);
