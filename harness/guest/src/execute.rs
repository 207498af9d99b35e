//! Executing a few instructions as L1, with registers of the case's choosing.

use core::arch::global_asm;
use core::mem::offset_of;

use crate::global::Global;
use crate::layout::{L1_CR0, L1_CR4, L1_GDT, L1_IDT, L1_STACK, gpr};

/// L1 as the instructions find it, and as they leave it.
#[repr(C)]
pub(crate) struct Context {
    /// RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15.
    pub(crate) gprs: [u64; 16],
    /// RFLAGS for what is executed.
    pub(crate) rflags: u64,
    /// RFLAGS right after it.
    pub(crate) rflags_after: u64,
    /// CR0 of the case; this program's own code needs TS and EM clear.
    pub(crate) cr0: u64,
    /// CR4 of the case; this program's own code needs OSFXSR.
    pub(crate) cr4: u64,
    /// RSP of the code that called `execute`.
    own_rsp: u64,
    /// Whether the slot is being executed: a trap then belongs to the case.
    pub(crate) running: u64,
    /// Vector of the exception that ended it, or [`NO_FAULT`].
    pub(crate) fault: u64,
    /// RIP of that exception.
    pub(crate) fault_rip: u64,
    /// Its error code, if it has one.
    pub(crate) fault_error: u64,
}

/// No exception.
pub(crate) const NO_FAULT: u64 = u64::MAX;

/// The one context.
pub(crate) static CONTEXT: Global<Context> = Global::new(Context {
    gprs: [0; 16],
    rflags: 2,
    rflags_after: 0,
    cr0: L1_CR0,
    cr4: L1_CR4,
    own_rsp: 0,
    running: 0,
    fault: NO_FAULT,
    fault_rip: 0,
    fault_error: 0,
});

/// Most bytes of instructions.
pub(crate) const SLOT_MAX: usize = 255;

/// A page for the instructions and the jump back.
#[repr(C, align(4096))]
struct Slot([u8; 4096]);

static SLOT: Global<Slot> = Global::new(Slot([0; 4096]));
/// A slot that always holds VMRUN: rewriting code is slow.
static VMRUN_SLOT: Global<Slot> = Global::new(Slot([0; 4096]));

unsafe extern "C" {
    fn execute_code(code: u64);
    fn execute_done();
}

/// Prepares the VMRUN slot.
pub(crate) fn init() {
    write(VMRUN_SLOT.ptr(), &[0x0f, 0x01, 0xd8]);
}

/// Writes the instructions, then JMP [RIP+0] with the way back.
fn write(slot: *mut Slot, code: &[u8]) {
    let mut tail = [0; 14];
    tail[..6].copy_from_slice(&[0xff, 0x25, 0, 0, 0, 0]);
    tail[6..].copy_from_slice(&(execute_done as *const () as u64).to_le_bytes());
    // SAFETY: nothing runs in the slot now.
    let bytes = unsafe { &mut (*slot).0 };
    let end = code.len();
    if bytes[..end] != *code || bytes[end..end + 14] != tail {
        bytes[..end].copy_from_slice(code);
        bytes[end..end + 14].copy_from_slice(&tail);
    }
}

/// Executes up to [`SLOT_MAX`] bytes of instructions with that RAX.
pub(crate) fn code(code: &[u8], rax: u64) {
    write(SLOT.ptr(), code);
    enter(SLOT.ptr() as u64, rax);
}

/// Executes VMRUN with that RAX; whether it came back through #VMEXIT.
pub(crate) fn vmrun(rax: u64) -> bool {
    let slot = VMRUN_SLOT.ptr() as u64;
    enter(slot, rax);
    // SAFETY: no other reference is alive.
    let context = unsafe { CONTEXT.get() };
    context.fault == NO_FAULT || context.fault_rip != slot
}

fn enter(slot: u64, rax: u64) {
    // SAFETY: no other reference is alive until `execute_code`, which makes its own.
    let context = unsafe { CONTEXT.get() };
    for (n, register) in (0..).zip(&mut context.gprs) {
        *register = gpr(n);
    }
    context.gprs[0] = rax;
    context.fault = NO_FAULT;
    // SAFETY: the slot ends in a jump to `execute_done`, which comes back here.
    unsafe { execute_code(slot) };
}

// The case's RFLAGS come with IRETQ, so that TF traps after the first
// instruction of the slot and IF has no shadow. A trap handler that ends the
// slot early jumps to `execute_end` with the registers already stored.
global_asm!(
    ".text",
    ".global execute_code",
    "execute_code:",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "mov [rip + {c} + {own_rsp}], rsp",
    "mov rax, cr4",
    "cmp rax, [rip + {c} + {cr4}]",
    "je 2f",
    "mov rax, [rip + {c} + {cr4}]",
    "mov cr4, rax",
    "2: mov rax, cr0",
    "cmp rax, [rip + {c} + {cr0}]",
    "je 2f",
    "mov rax, [rip + {c} + {cr0}]",
    "mov cr0, rax",
    "2: push 0x10",
    "push {stack}",
    "push [rip + {c} + {rflags}]",
    "push 0x08",
    "push rdi",
    "mov rax, [rip + {c}]",
    "mov rcx, [rip + {c} + 8]",
    "mov rdx, [rip + {c} + 16]",
    "mov rbx, [rip + {c} + 24]",
    "mov rbp, [rip + {c} + 40]",
    "mov rsi, [rip + {c} + 48]",
    "mov rdi, [rip + {c} + 56]",
    "mov r8, [rip + {c} + 64]",
    "mov r9, [rip + {c} + 72]",
    "mov r10, [rip + {c} + 80]",
    "mov r11, [rip + {c} + 88]",
    "mov r12, [rip + {c} + 96]",
    "mov r13, [rip + {c} + 104]",
    "mov r14, [rip + {c} + 112]",
    "mov r15, [rip + {c} + 120]",
    "mov qword ptr [rip + {c} + {running}], 1",
    "iretq",
    ".global execute_done",
    "execute_done:",
    "mov [rip + {c}], rax",
    "mov [rip + {c} + 8], rcx",
    "mov [rip + {c} + 16], rdx",
    "mov [rip + {c} + 24], rbx",
    "mov [rip + {c} + 32], rsp",
    "mov [rip + {c} + 40], rbp",
    "mov [rip + {c} + 48], rsi",
    "mov [rip + {c} + 56], rdi",
    "mov [rip + {c} + 64], r8",
    "mov [rip + {c} + 72], r9",
    "mov [rip + {c} + 80], r10",
    "mov [rip + {c} + 88], r11",
    "mov [rip + {c} + 96], r12",
    "mov [rip + {c} + 104], r13",
    "mov [rip + {c} + 112], r14",
    "mov [rip + {c} + 120], r15",
    "mov rsp, [rip + {c} + {own_rsp}]",
    "pushfq",
    "pop [rip + {c} + {rflags_after}]",
    ".global execute_end",
    "execute_end:",
    "mov rsp, [rip + {c} + {own_rsp}]",
    "push 2",
    "popfq",
    "mov qword ptr [rip + {c} + {running}], 0",
    "mov rax, cr0",
    "mov [rip + {c} + {cr0}], rax",
    // TS and EM.
    "test al, 0x0c",
    "jz 2f",
    "and al, 0xf3",
    "mov cr0, rax",
    "2: mov rax, cr4",
    "mov [rip + {c} + {cr4}], rax",
    // OSFXSR.
    "test eax, 0x200",
    "jnz 2f",
    "or eax, 0x200",
    "mov cr4, rax",
    "2: lgdt [rip + l1_gdtr]",
    "lidt [rip + l1_idtr]",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
    ".balign 8",
    "l1_gdtr: .word 0x3f",
    ".quad {gdt}",
    ".balign 8",
    ".global l1_idtr",
    "l1_idtr: .word 0xfff",
    ".quad {idt}",
    c = sym CONTEXT,
    own_rsp = const offset_of!(Context, own_rsp),
    cr0 = const offset_of!(Context, cr0),
    cr4 = const offset_of!(Context, cr4),
    rflags = const offset_of!(Context, rflags),
    rflags_after = const offset_of!(Context, rflags_after),
    running = const offset_of!(Context, running),
    stack = const L1_STACK,
    gdt = const L1_GDT,
    idt = const L1_IDT,
);
