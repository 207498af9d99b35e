//! L1's IDT: every exception ends the run, every interrupt is counted.

use core::arch::global_asm;

use crate::layout::L1_IDT;
use crate::mailbox;
use crate::protocol::state;

/// The vector that the local APIC sends.
pub(crate) const APIC_VECTOR: u8 = 0x40;
/// The vector of software interrupts.
pub(crate) const INT_VECTOR: u8 = 0x41;
/// The local APIC, at its reset address.
const APIC: u64 = 0xfee0_0000;
const SPURIOUS: u64 = APIC + 0xf0;

unsafe extern "C" {
    static exception_stubs: [u8; 0];
    static on_apic: [u8; 0];
    static on_int: [u8; 0];
    static interrupt_count: u64;
}

/// Bytes between two stubs of exceptions.
const STUB: u64 = 16;

/// Fills the IDT, switches the local APIC on and the two 8259s off.
pub(crate) fn init() {
    for vector in 0..32u64 {
        // SAFETY: the address alone is used.
        gate(vector, unsafe { exception_stubs.as_ptr() } as u64 + vector * STUB);
    }
    // SAFETY: the addresses alone are used.
    unsafe {
        gate(APIC_VECTOR.into(), on_apic.as_ptr() as u64);
        gate(INT_VECTOR.into(), on_int.as_ptr() as u64);
        core::arch::asm!("lidt [rip + measure_idtr]");
        (SPURIOUS as *mut u32).write_volatile(0x1ff);
    }
    crate::cpu::outb(0x21, 0xff);
    crate::cpu::outb(0xa1, 0xff);
}

fn gate(vector: u64, to: u64) {
    let low = to & 0xffff | 0x08 << 16 | 0x8e << 40 | (to >> 16 & 0xffff) << 48;
    let at = (L1_IDT + vector * 16) as *mut u64;
    // SAFETY: the IDT's page is L1's own.
    unsafe {
        at.write(low);
        at.add(1).write(to >> 32);
    }
}

/// How many interrupts there were.
pub(crate) fn count() -> u64 {
    // SAFETY: the handlers write it; each read is one quadword.
    unsafe { (&raw const interrupt_count).read_volatile() }
}

extern "C" fn exception(vector: u64, rip: u64) -> ! {
    mailbox::finish(state::EXCEPTION, vector, rip)
}

// The stub leaves the vector on top; RIP is behind it or, where there is an
// error code, one further, which is as good a hint.
global_asm!(
    ".text",
    ".balign 16",
    "exception_stubs:",
    ".set vector, 0",
    ".rept 32",
    ".balign 16",
    "push vector",
    "jmp exception_common",
    ".set vector, vector + 1",
    ".endr",
    "exception_common:",
    "pop rdi",
    "mov rsi, [rsp]",
    "and rsp, -16",
    "call {exception}",
    "on_apic:",
    "push rax",
    "inc qword ptr [rip + interrupt_count]",
    "mov eax, 0xfee000b0",
    "mov dword ptr [rax], 0",
    "pop rax",
    "iretq",
    "on_int:",
    "inc qword ptr [rip + interrupt_count]",
    "iretq",
    ".balign 8",
    "measure_idtr: .word 0xfff",
    ".quad {idt}",
    ".section .bss",
    ".balign 8",
    ".global interrupt_count",
    "interrupt_count: .skip 8",
    ".text",
    exception = sym exception,
    idt = const L1_IDT,
);
