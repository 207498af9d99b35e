//! From the reset vector to Rust, straight into long mode.
//!
//! The harness has put L1's page tables and GDT into RAM before the CPU starts,
//! so real mode goes to 64-bit mode in one step: no firmware, no protected mode.

use core::arch::global_asm;

use crate::layout::{L1_CR0, L1_CR4, L1_GDT, L1PT};

/// Bytes of the stack that Rust code runs on.
const STACK_SIZE: usize = 0x1_0000;

/// EFER.LME and EFER.NXE. SVME comes when CPUID has been seen to offer SVM.
const EFER_LME_NXE: u64 = 0x900;

// The last 64 KiB below 4 GiB are addressable in real mode after reset, through
// CS alone: the ROM lies in the last page of them.
global_asm!(
    ".section .rom, \"ax\"",
    ".code16",
    "real_mode:",
    "cli",
    "cld",
    ".byte 0x66",
    "lgdt cs:[rom_gdtr - 0xffff0000]",
    "mov eax, {l1pt}",
    "mov cr3, eax",
    "mov eax, {cr4}",
    "mov cr4, eax",
    "mov ecx, 0xc0000080",
    "mov eax, {efer}",
    "xor edx, edx",
    "wrmsr",
    "mov eax, {cr0}",
    "mov cr0, eax",
    // JMP 0x08:guest_entry with a 32-bit offset, into 64-bit code.
    ".byte 0x66, 0xea",
    ".long guest_entry",
    ".word 0x08",
    ".balign 8",
    "rom_gdtr:",
    ".word {gdt_limit}",
    ".long {gdt}",
    ".section .reset, \"ax\"",
    ".byte 0xe9",
    ".word real_mode - . - 2",
    ".code64",
    ".section .text.entry, \"ax\"",
    ".global guest_entry",
    "guest_entry:",
    "mov ax, 0x10",
    "mov ds, ax",
    "mov es, ax",
    "mov ss, ax",
    "mov fs, ax",
    "mov gs, ax",
    "lea rsp, [rip + boot_stack + {stack}]",
    "xor ebp, ebp",
    "call {main}",
    "2: hlt",
    "jmp 2b",
    ".section .bss",
    ".balign 16",
    "boot_stack: .skip {stack}",
    ".text",
    l1pt = const L1PT,
    cr4 = const L1_CR4,
    efer = const EFER_LME_NXE,
    cr0 = const L1_CR0,
    gdt = const L1_GDT,
    gdt_limit = const 0x3f,
    stack = const STACK_SIZE,
    main = sym crate::main,
);
