//! A hypervisor in three hundred lines: one guest in real mode, with nested paging, whose OUT,
//! CPUID, reads of CR0 and first touches of memory exit. It relies on next RIPs and on decode
//! assists, as hypervisors for today's processors do.
//!
//! `cargo xtask example` starts it in a QEMU.

#![no_std]
#![no_main]

#[path = "../../../svm-model/src/arch/msr.rs"]
#[allow(dead_code, unreachable_pub)]
mod msr;
#[path = "../../../svm-model/src/arch/registers.rs"]
#[allow(dead_code, unreachable_pub)]
mod registers;

mod boot;
mod copy;
mod guest;
mod port;
mod vmcb;

use core::arch::{asm, x86_64::__cpuid};
use core::fmt::Write;

use msr::{EFER, VM_HSAVE_PA};
use port::Serial;
use registers::efer::SVME;
use vmcb::{Page, Registers, at};

/// What is in memory of ours.
struct Memory {
    vmcb: Page,
    host_save: Page,
    /// Every port and every MSR is intercepted.
    io_map: [Page; 3],
    msr_map: [Page; 2],
    /// Nested page tables, from the root to the one whose entries are pages of 4 KiB.
    tables: [Page; 4],
    /// The guest's memory: 64 KiB, of which it has what it has touched.
    ram: [Page; 16],
}

const ONES: Page = Page([0xff; 4096]);
static mut MEMORY: Memory = Memory {
    vmcb: Page::ZERO,
    host_save: Page::ZERO,
    io_map: [ONES; 3],
    msr_map: [ONES; 2],
    tables: [Page::ZERO; 4],
    ram: [Page::ZERO; 16],
};

/// Present, writable, for users, which a nested entry must be.
const MAPPED: u64 = 7;

fn address(page: &Page) -> u64 {
    core::ptr::from_ref(page).addr() as u64
}

extern "C" fn main() -> ! {
    let memory = &raw mut MEMORY;
    // SAFETY: this runs once, and is all that runs.
    let memory = unsafe { &mut *memory };
    if __cpuid(0x8000_0001).ecx & 4 == 0 {
        fail("the processor has no SVM: -cpu max,+svm", None);
    }
    // SAFETY: the processor has SVM, and the page is ours.
    unsafe {
        write_msr(EFER, read_msr(EFER) | SVME);
        write_msr(VM_HSAVE_PA, address(&memory.host_save));
    }
    set_up(memory);
    let mut registers = Registers([0; 16]);
    loop {
        // SAFETY: the guest has its own pages, and every port and MSR exits.
        unsafe { vmcb::run(&mut memory.vmcb, &mut registers) };
        handle(memory, &mut registers);
    }
}

/// The guest at its start.
fn set_up(memory: &mut Memory) {
    for level in 0..3 {
        let next = address(&memory.tables[level + 1]) | MAPPED;
        memory.tables[level].set(0, next.to_le_bytes());
    }
    let code = guest::code();
    memory.ram[1].0[..code.len()].copy_from_slice(code);
    map(memory, guest::START);

    let (io_map, msr_map) = (address(&memory.io_map[0]), address(&memory.msr_map[0]));
    let root = address(&memory.tables[0]);
    let v = &mut memory.vmcb;
    // Reads of CR0.
    v.set(at::CR_READ, 1_u16.to_le_bytes());
    // INTR, NMI, SMI, INIT, CPUID, HLT, INVLPGA, IOIO, MSR, shutdown; VMRUN to SKINIT.
    v.set(at::INTERCEPTS, 0x9d04_000f_u32.to_le_bytes());
    v.set(at::INTERCEPTS + 4, 0x7f_u32.to_le_bytes());
    v.set(at::IOPM, io_map.to_le_bytes());
    v.set(at::MSRPM, msr_map.to_le_bytes());
    v.set(at::ASID, 1_u32.to_le_bytes());
    v.set(at::TLB_CONTROL, [1]);
    // V_INTR_MASKING
    v.set(at::INT_CTL, (1_u32 << 24).to_le_bytes());
    v.set(at::NESTED_CTL, 1_u64.to_le_bytes());
    v.set(at::NESTED_CR3, root.to_le_bytes());
    for segment in [0, 2, 3, 4, 5] {
        v.segment(segment, 0x93);
    }
    v.segment(1, 0x9b);
    v.segment(6, 0);
    v.segment(7, 0x82);
    v.segment(8, 0);
    v.segment(9, 0x8b);
    v.set(at::EFER, SVME.to_le_bytes());
    v.set(at::CR0, 0x10_u64.to_le_bytes());
    v.set(at::DR6, 0xffff_0ff0_u64.to_le_bytes());
    v.set(at::DR7, 0x400_u64.to_le_bytes());
    v.set(at::RFLAGS, 2_u64.to_le_bytes());
    v.set(at::RIP, guest::START.to_le_bytes());
    v.set(at::PAT, 0x0007_0406_0007_0406_u64.to_le_bytes());
}

/// Gives the guest the page of its memory with that address, if it has one.
fn map(memory: &mut Memory, guest_physical: u64) -> bool {
    let number = (guest_physical >> 12) as usize;
    let Some(page) = memory.ram.get(number) else { return false };
    let entry = address(page) | MAPPED;
    memory.tables[3].set(8 * number, entry.to_le_bytes());
    true
}

/// What the guest has exited for, done.
fn handle(memory: &mut Memory, registers: &mut Registers) {
    let v = &mut memory.vmcb;
    v.set(at::TLB_CONTROL, [0]);
    let (code, info1, info2) =
        (v.get(at::EXIT_CODE), v.get(at::EXIT_INFO_1), v.get(at::EXIT_INFO_2));
    match code {
        // A nested page fault: go on where it was.
        0x400 => {
            if !map(memory, info2) {
                fail("the guest has no memory there", Some(memory));
            }
            return;
        }
        // OUT to the port that we print for.
        0x7b if info1 >> 16 == 0xe9 && info1 & 1 == 0 => {
            let byte = v.get(at::RAX) as u8;
            let _ = Serial.write_char(char::from(byte));
        }
        // CPUID says that it is another processor.
        0x72 => {
            v.set(at::RAX, [0; 8]);
            registers.0[3] = u64::from(u32::from_le_bytes(*b"rest"));
        }
        // MOV from CR0: decode assists name the register.
        0x00 => {
            if info1 >> 63 == 0 {
                fail("EXITINFO1 does not name the register of MOV from CR0", Some(memory));
            }
            registers.0[(info1 & 0xf) as usize] = v.get(at::CR0);
        }
        // VMMCALL: the guest is through, and BX says how.
        0x81 if registers.0[3] as u16 == 0 => {
            let _ = writeln!(Serial, "the guest is through");
            port::exit(0x10);
        }
        _ => fail("the guest has exited for something else", Some(memory)),
    }
    skip(memory);
}

/// Goes on behind the instruction that exited.
fn skip(memory: &mut Memory) {
    let next = memory.vmcb.get(at::NEXT_RIP);
    if next == 0 {
        fail("no next RIP was saved", Some(memory));
    }
    memory.vmcb.set(at::RIP, next.to_le_bytes());
}

/// Says what is wrong, with the VMCB for `cargo xtask explain`, and ends.
fn fail(what: &str, memory: Option<&Memory>) -> ! {
    let _ = writeln!(Serial, "\nfailed: {what}");
    if let Some(memory) = memory {
        for line in memory.vmcb.0.chunks(64) {
            let _ = Serial.write_str("vmcb ");
            line.iter().for_each(|byte| _ = write!(Serial, "{byte:02x}"));
            let _ = Serial.write_str("\n");
        }
    }
    port::exit(1)
}

/// # Safety
/// The processor has that MSR.
unsafe fn read_msr(msr: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: the caller says so; it touches no memory.
    unsafe {
        asm!("rdmsr", in("ecx") msr, out("eax") low, out("edx") high, options(nomem, nostack));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// # Safety
/// The processor has that MSR, and what it then does is sound.
unsafe fn write_msr(msr: u32, value: u64) {
    // SAFETY: the caller says so.
    unsafe {
        asm!("wrmsr", in("ecx") msr, in("eax") value as u32, in("edx") (value >> 32) as u32,
            options(nostack));
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let _ = writeln!(Serial, "{info}");
    port::exit(2)
}
