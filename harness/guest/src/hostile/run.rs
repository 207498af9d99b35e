//! Making the machine L1, and one VMRUN.

use core::arch::global_asm;

use crate::cpu::{self, EFER, VM_HSAVE_PA};
use crate::layout::{HSAVE, L1_CR0, L1_CR4, L1_EFER, L1_GDT, L1PT};
use crate::msr::{VM_CR, vm_cr};
use crate::{apic, mailbox, trap, world};

const CPUID_SVM: u32 = 1 << 2;
/// Where SMM begins after reset: SMBASE 0x30000 and 0x8000.
const SMI_HANDLER: u64 = 0x3_8000;
/// INC DWORD [0x500]; RSM, in 16-bit mode.
const SMI_CODE: u64 = u64::from_le_bytes([0x66, 0xff, 0x06, 0x00, 0x05, 0x0f, 0xaa, 0x90]);
/// Where TR's base is in a VMCB.
const TR_BASE: u64 = 0x498;

unsafe extern "C" {
    fn hostile_enter(rax: u64, registers: *const [u64; 16], what: u64);
}

/// What a reset of the CPU undoes; whether there is SVM.
pub(crate) fn init() -> bool {
    let offered = cpu::cpuid(0x8000_0001, 0)[2] & CPUID_SVM != 0;
    if !offered || cpu::rdmsr(VM_CR) & vm_cr::SVMDIS != 0 {
        return false;
    }
    cpu::wrmsr(EFER, L1_EFER);
    cpu::wrmsr(VM_HSAVE_PA, HSAVE);
    mailbox::write(SMI_HANDLER, SMI_CODE);
    trap::init();
    own_state();
    apic::init();
    true
}

/// Loads what VMLOAD loads as L1 wants it: TR is that of [`trap::tss`].
fn own_state() {
    mailbox::write(world::own_vmcb() + TR_BASE, trap::tss());
    // SAFETY: a whole page of RAM, in which TR's base is L1's TSS.
    unsafe { cpu::vmload(world::own_vmcb()) };
}

/// What is executed with the address in RAX.
pub(crate) mod what {
    pub(crate) const VMRUN: u64 = 0;
    pub(crate) const VMLOAD: u64 = 1;
    pub(crate) const VMSAVE: u64 = 2;
    /// WRMSR of that value to the MSR in ECX.
    pub(crate) const HSAVE: u64 = 3;
}

/// Executes one of [`what`] with those registers, and puts L1's own state back.
pub(crate) fn enter(rax: u64, registers: &[u64; 16], what: u64) {
    // SAFETY: it comes back through `hostile_back` or through the reset vector; RAM that L1
    // stands on is out of L2's reach unless the attempt says otherwise, and then a reset is the
    // worst that comes of it.
    unsafe { hostile_enter(rax, registers, what) };
    cpu::restore_cr0(L1_CR0);
    cpu::restore_cr3(L1PT);
    cpu::restore_cr4(L1_CR4);
    cpu::restore_cr8(0);
    cpu::restore_dr7(0x400);
    if cpu::rdmsr(EFER) != L1_EFER {
        cpu::wrmsr(EFER, L1_EFER);
    }
    // SAFETY: as in `own_state`.
    unsafe { cpu::vmload(world::own_vmcb()) };
}

// Interrupts are on when VMRUN is executed: with V_INTR_MASKING the timer ends L2.
// After #VMEXIT, what is pending is taken in the window behind STGI.
global_asm!(
    ".text",
    ".global hostile_enter",
    "hostile_enter:",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "mov [rip + hostile_rsp], rsp",
    "mov rax, rdi",
    "cmp edx, 2",
    "je 4f",
    "ja 5f",
    "cmp edx, 1",
    "je 3f",
    "mov rcx, [rsi + 8]",
    "mov rdx, [rsi + 16]",
    "mov rbx, [rsi + 24]",
    "mov rbp, [rsi + 40]",
    "mov rdi, [rsi + 56]",
    "mov r8, [rsi + 64]",
    "mov r9, [rsi + 72]",
    "mov r10, [rsi + 80]",
    "mov r11, [rsi + 88]",
    "mov r12, [rsi + 96]",
    "mov r13, [rsi + 104]",
    "mov r14, [rsi + 112]",
    "mov r15, [rsi + 120]",
    "mov rsi, [rsi + 48]",
    "sti",
    // What is pending for L1 comes here.
    "nop",
    "vmrun rax",
    "jmp hostile_back",
    "3: vmload rax",
    "jmp hostile_back",
    "4: vmsave rax",
    "jmp hostile_back",
    "5: mov rcx, [rsi + 8]",
    "mov rdx, [rsi + 16]",
    "wrmsr",
    ".global hostile_back",
    "hostile_back:",
    "mov rsp, [rip + hostile_rsp]",
    "lgdt [rip + hostile_gdtr]",
    "lidt [rip + hostile_idtr]",
    "stgi",
    "sti",
    "nop",
    "nop",
    "push 2",
    "popfq",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
    ".balign 8",
    "hostile_gdtr: .word 0x3f",
    ".quad {gdt}",
    ".section .bss",
    ".balign 8",
    "hostile_rsp: .skip 8",
    ".text",
    gdt = const L1_GDT,
);
