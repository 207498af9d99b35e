//! Privileged instructions, one function each.

use core::arch::{asm, x86_64};

pub(crate) use crate::msr::{EFER, VM_HSAVE_PA};
use crate::wire;

macro_rules! registers {
    ($($read:ident, $write:ident, $reg:literal;)*) => {$(
        pub(crate) fn $read() -> u64 {
            let value;
            // SAFETY: reads a register.
            unsafe { asm!(concat!("mov {}, ", $reg), out(reg) value, options(nomem, nostack)) };
            value
        }

        /// Writes the register if it does not hold that value: writes are slow.
        pub(crate) fn $write(value: u64) {
            if $read() != value {
                // SAFETY: callers write only what keeps this code mapped and running.
                unsafe { asm!(concat!("mov ", $reg, ", {}"), in(reg) value, options(nostack)) };
            }
        }
    )*};
}

registers! {
    read_cr0, restore_cr0, "cr0";
    read_cr2, restore_cr2, "cr2";
    read_cr3, restore_cr3, "cr3";
    read_cr4, restore_cr4, "cr4";
    read_cr8, restore_cr8, "cr8";
    read_dr0, restore_dr0, "dr0";
    read_dr1, restore_dr1, "dr1";
    read_dr2, restore_dr2, "dr2";
    read_dr3, restore_dr3, "dr3";
    read_dr6, restore_dr6, "dr6";
    read_dr7, restore_dr7, "dr7";
}

#[repr(C, align(16))]
struct FxImage([u8; 512]);

/// What FNINIT and a reset leave: FCW 037Fh, MXCSR 1F80h, all registers zero.
static FX_INITIAL: FxImage = {
    let mut image = [0; 512];
    (image[0], image[1]) = (0x7f, 0x03);
    (image[24], image[25]) = (0x80, 0x1f);
    FxImage(image)
};

/// Gives the x87, MMX and SSE registers their initial values; CR0.TS and EM are clear.
pub(crate) fn restore_fpu() {
    // SAFETY: reads 512 aligned bytes; what the compiler has in these registers is said to be lost.
    unsafe { asm!("fxrstor64 [{}]", in(reg) &FX_INITIAL, clobber_abi("C"), options(nostack)) };
}

/// RDMSR of an MSR that exists.
pub(crate) fn rdmsr(msr: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a register.
    unsafe {
        asm!("rdmsr", in("ecx") msr, out("eax") low, out("edx") high, options(nomem, nostack));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// WRMSR of a legal value.
pub(crate) fn wrmsr(msr: u32, value: u64) {
    // SAFETY: callers write only what keeps this code mapped and running.
    unsafe {
        asm!("wrmsr", in("ecx") msr, in("eax") value as u32, in("edx") (value >> 32) as u32,
             options(nostack));
    }
}

/// CPUID: EAX, EBX, ECX, EDX.
pub(crate) fn cpuid(leaf: u32, subleaf: u32) -> [u32; 4] {
    let x86_64::CpuidResult { eax, ebx, ecx, edx } = x86_64::__cpuid_count(leaf, subleaf);
    [eax, ebx, ecx, edx]
}

/// STGI.
pub(crate) fn stgi() {
    // SAFETY: pending events go to our own handlers, which may use any register.
    unsafe { asm!("stgi", "nop", clobber_abi("sysv64")) };
}

/// Executes an IRETQ to what comes next: NMIs are no longer blocked, and one that is pending is
/// taken.
pub(crate) fn unblock_nmi() {
    // SAFETY: it comes back to the label with everything as it was; what is taken goes to our own
    // handlers, which may use any register.
    unsafe {
        asm!("mov rax, rsp", "push 0x10", "push rax", "pushfq", "push 0x08",
             "lea rax, [rip + 2f]", "push rax", "iretq", "2: nop", out("rax") _,
             clobber_abi("sysv64"));
    }
}

/// Takes pending interrupts.
pub(crate) fn interrupt_window() {
    // SAFETY: they go to our own handlers, which may use any register.
    unsafe { asm!("sti", "nop", "nop", "nop", "nop", "cli", clobber_abi("sysv64")) };
}

/// VMLOAD.
///
/// # Safety
/// `vmcb` is the address of a VMCB whose TR is L1's.
pub(crate) unsafe fn vmload(vmcb: u64) {
    // SAFETY: the caller's promise.
    unsafe { asm!("vmload rax", in("rax") vmcb, options(nostack)) };
}

/// CS, SS, DS and ES selectors, 16 bits each from bit 0.
pub(crate) fn selectors() -> u64 {
    let (cs, ss, ds, es): (u64, u64, u64, u64);
    // SAFETY: reads registers.
    unsafe {
        asm!("mov {:e}, cs", "mov {:e}, ss", "mov {:e}, ds", "mov {:e}, es",
             out(reg) cs, out(reg) ss, out(reg) ds, out(reg) es, options(nomem, nostack));
    }
    cs & 0xffff | (ss & 0xffff) << 16 | (ds & 0xffff) << 32 | (es & 0xffff) << 48
}

/// OUT of one byte.
pub(crate) fn outb(port: u16, value: u8) {
    // SAFETY: only ports of the interrupt controllers are written.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack)) };
}

/// Ends QEMU.
pub(crate) fn debug_exit() -> ! {
    // SAFETY: ends the machine.
    unsafe {
        asm!("out dx, eax", "2: hlt", "jmp 2b",
             in("dx") wire::EXIT_PORT, in("eax") wire::EXIT_VALUE, options(noreturn));
    }
}
