//! The guest: a few instructions of real mode at 1000h, each of which exits.

use core::arch::global_asm;

/// Where it starts, guest-physical.
pub(crate) const START: u64 = 0x1000;

global_asm!(
    ".section .rodata",
    ".global guest_code, guest_end",
    ".code16",
    "guest_code:",
    // OUT, character by character: the port is intercepted.
    "mov si, offset message_at",
    "cld",
    "2: lodsb",
    "test al, al",
    "jz 3f",
    "out 0xe9, al",
    "jmp 2b",
    // Intercepted, and the hypervisor must be told which register, and where to go on.
    "3: mov ecx, cr0",
    "and ecx, 1",
    "jnz 4f",
    "xor eax, eax",
    "cpuid",
    "cmp ebx, 0x74736572",
    "jne 4f",
    // Memory that it has only once it touches it.
    "mov word ptr [0x8000], 0x5aa5",
    "cmp word ptr [0x8000], 0x5aa5",
    "jne 4f",
    "xor bx, bx",
    "vmmcall",
    "4: mov bx, 1",
    "vmmcall",
    "message: .asciz \"hello from L2\\n\"",
    "guest_end:",
    ".set message_at, 0x1000 + (message - guest_code)",
    ".code64",
    ".text",
);

unsafe extern "C" {
    static guest_code: u8;
    static guest_end: u8;
}

/// Its bytes.
pub(crate) fn code() -> &'static [u8] {
    let (from, to) = (&raw const guest_code, &raw const guest_end);
    // SAFETY: the assembly above has both labels, in that order, around what never changes.
    unsafe { core::slice::from_raw_parts(from, to.addr() - from.addr()) }
}
