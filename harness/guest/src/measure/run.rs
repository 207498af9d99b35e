//! L2, over and over.

use core::arch::asm;

use crate::clock;
use crate::cpu::{self, EFER, VM_HSAVE_PA};
use crate::layout::{HSAVE, L1_EFER, L2_CODE, VMCB, VMCB2};
use crate::mailbox::{self, Task};
use crate::protocol::{kind, state, task};

const CPUID_SVM: u32 = 1 << 2;
/// Where L2's RIP and the exit code are in the VMCB.
const RIP: u64 = VMCB + 0x578;
const EXIT_CODE: u64 = VMCB + 0x70;

/// Runs the task's program until all samples are taken.
pub(crate) fn task(task: &Task, kind: u64) {
    if cpu::cpuid(0x8000_0001, 0)[2] & CPUID_SVM == 0 {
        mailbox::finish(state::NO_SVM, 0, 0);
    }
    cpu::wrmsr(EFER, L1_EFER);
    cpu::wrmsr(VM_HSAVE_PA, HSAVE);
    for n in 0..task::PROGRAM_WORDS {
        write(L2_CODE + n * 8, task.get(task::PROGRAM + n));
    }
    write(RIP, L2_CODE);
    // SAFETY: a page of RAM that is for VMCBs.
    unsafe { asm!("vmsave rax", in("rax") VMCB2, options(nostack)) };
    let (trips, step, exit) = (task.get(task::TRIPS), task.get(task::STEP), task.get(task::EXIT));
    match kind {
        kind::ROUND_TRIP => clock::samples(task, || check(round_trips(trips, step, exit), exit)),
        kind::EXIT => clock::samples(task, || check(exits(trips, step, exit), exit)),
        _ => {
            for n in 0..task.get(task::SAMPLES) {
                let (run, exited) = split(trips, step);
                task.sample(2 * n, run);
                task.sample(2 * n + 1, exited);
            }
        }
    }
    cpu::stgi();
}

fn check(left: u64, exit: u64) {
    // SAFETY: the VMCB is RAM, and L2 is not running.
    let found = unsafe { (EXIT_CODE as *const u64).read_volatile() };
    if left != 0 || found != exit {
        mailbox::finish(state::WRONG_EXIT, found, 0);
    }
}

fn write(at: u64, value: u64) {
    // SAFETY: the VMCB and L2's program are RAM, and L2 is not running.
    unsafe { (at as *mut u64).write_volatile(value) };
}

/// VMRUN, with no more than a look at the exit code. Returns how many trips were
/// left at an exit with another.
fn round_trips(trips: u64, step: u64, exit: u64) -> u64 {
    let mut left = trips;
    // SAFETY: L2 changes no memory and no register of those named here but RDX;
    // it leaves through #VMEXIT alone.
    unsafe {
        asm!("2: vmrun rax",
             "cmp [rax + 0x70], r13",
             "jne 3f",
             "add [rax + 0x578], r12",
             "dec r14",
             "jnz 2b",
             "3:",
             in("rax") VMCB, in("r12") step, in("r13") exit, inout("r14") left,
             out("rcx") _, out("rdx") _, options(nostack));
    }
    left
}

/// As [`round_trips`], with what a hypervisor does besides.
fn exits(trips: u64, step: u64, exit: u64) -> u64 {
    let mut left = trips;
    // SAFETY: as in `round_trips`; the second VMCB has L1's own state.
    unsafe {
        asm!("2: clgi",
             "vmload rax",
             "vmrun rax",
             "vmsave rax",
             "mov eax, {host}",
             "vmload rax",
             "stgi",
             "mov eax, {guest}",
             "cmp [rax + 0x70], r13",
             "jne 3f",
             "add [rax + 0x578], r12",
             "dec r14",
             "jnz 2b",
             "3:",
             host = const VMCB2, guest = const VMCB,
             inout("rax") VMCB => _, in("r12") step, in("r13") exit, inout("r14") left,
             out("rcx") _, out("rdx") _, options(nostack));
    }
    left
}

/// TSC ticks until L2 has read the TSC, and from then on. L2's program begins
/// with RDTSC, whose EDX comes through #VMEXIT, and whose EAX is in the VMCB.
fn split(trips: u64, step: u64) -> (u64, u64) {
    let (mut run, mut exited) = (0u64, 0u64);
    for _ in 0..trips {
        let (before, between, after): (u64, u64, u64);
        // SAFETY: as in `round_trips`.
        unsafe {
            asm!("rdtsc",
                 "shl rdx, 32",
                 "lea r8, [rax + rdx]",
                 "mov eax, {guest}",
                 "vmrun rax",
                 "mov r9d, [rax + 0x5f8]",
                 "shl rdx, 32",
                 "add r9, rdx",
                 "rdtsc",
                 "shl rdx, 32",
                 "lea r10, [rax + rdx]",
                 "mov eax, {guest}",
                 "add [rax + 0x578], r12",
                 guest = const VMCB, in("r12") step,
                 out("rax") _, out("rdx") _, out("r8") before, out("r9") between,
                 out("r10") after, options(nostack));
        }
        run += between - before;
        exited += after - between;
    }
    (run, exited)
}
