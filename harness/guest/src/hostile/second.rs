//! The second processor: it changes what the first is using, and sends it events.

use core::arch::global_asm;

use crate::apic::{self, mode};
use crate::draw::{Draw, store};
use crate::layout::{HSAVE, IOPM, L1_CR0, L1_CR4, L1_GDT, L1PT, L2_CODE, L2PT, MSRPM, NPT, VMCB};
use crate::places;
use crate::protocol::{flag, header};
use crate::{mailbox, trap};

/// Where it starts, in real mode.
const PAGE: u64 = 0x8000;
/// Bytes of its stack.
const STACK: usize = 0x2000;
/// Which CPU it is.
const ID: u32 = 1;
/// Looks at an attempt that does not end before the first processor gets an NMI, and INIT.
const PATIENCE: u64 = 20_000;

unsafe extern "C" {
    static second_code: [u8; 0];
    static second_code_end: [u8; 0];
}

/// Starts it, from wherever it is.
pub(crate) fn start() {
    // SAFETY: the addresses alone are used.
    let (from, end) = unsafe { (second_code.as_ptr() as u64, second_code_end.as_ptr() as u64) };
    let mut at = 0;
    while from + at < end {
        mailbox::write(PAGE + at, mailbox::read(from + at));
        at += 8;
    }
    apic::send(ID, mode::INIT);
    apic::send(ID, mode::STARTUP | (PAGE >> 12) as u32);
}

/// What it does until it is reset.
extern "C" fn work() -> ! {
    trap::load();
    let flags = mailbox::get(header::FLAGS);
    let ram = mailbox::get(header::RAM);
    let mut draw =
        Draw::new(mailbox::get(header::SEED) ^ 0x7365_636f_6e64, mailbox::get(header::RESETS));
    let (mut last, mut same) = (0, 0u64);
    loop {
        if flags & flag::SECOND != 0 {
            one(&mut draw, ram);
        }
        mailbox::add(header::SECOND, 1);
        let now = mailbox::get(header::NOW);
        same = if now == last { same + 1 } else { 0 };
        last = now;
        match same {
            n if n > 0 && n % (2 * PATIENCE) == 0 => apic::send(0, mode::INIT),
            n if n > 0 && n % PATIENCE == 0 => apic::send(0, mode::NMI),
            _ => {}
        }
        for _ in 0..draw.below(64) {
            core::hint::spin_loop();
        }
    }
}

/// One change, or one event.
fn one(draw: &mut Draw, ram: u64) {
    let value = draw.value();
    match draw.below(4096) {
        0..2600 => {
            let (offset, width) = draw.of(places::FIELDS);
            let at = VMCB + u64::from(offset);
            match draw.below(4) {
                0 => store(at, width.into(), value),
                _ => store(at, 8, mailbox::read(at) ^ 1 << draw.below(64)),
            }
        }
        2600..2700 => store(VMCB + draw.below(0x1000), 1, value),
        2700..2800 => {
            let at = VMCB + draw.of(&[0x40, 0x48, 0xb0]);
            let place =
                if draw.one_in(2) { places::shared(draw) } else { places::nowhere(draw, ram) };
            store(at, 8, place);
        }
        2800..3000 => store(IOPM + draw.below(0x3000), 1, value),
        3000..3200 => store(MSRPM + draw.below(0x2000), 1, value),
        3200..3500 => {
            // A bit of an entry that is likely to be used.
            let table = draw.of(&[NPT, L2PT]) + draw.below(6) * 0x1000;
            let any = draw.below(512);
            let at = table + draw.of(&[0, 4, 5, 6, any]) * 8;
            store(at, 8, mailbox::read(at) ^ 1 << draw.below(64));
        }
        3500..3900 => store(L2_CODE + draw.below(0x10000), 1, value),
        // What L1 comes back to.
        3900..3901 if draw.one_in(16) => store(HSAVE + draw.below(0x1000), 8, value),
        3910..3960 => apic::send(0, mode::NMI),
        3960..3970 => apic::send(0, mode::SMI),
        3970..3971 if draw.one_in(4) => apic::send(0, mode::INIT),
        3980..4030 => apic::send(0, mode::FIXED | 0x20 | (value as u32 & 0xdf)),
        _ => {}
    }
}

// From real mode straight to 64-bit mode, as `boot.rs` does it: RAM has L1's
// tables. CS is PAGE >> 4.
global_asm!(
    ".text",
    ".balign 16",
    "second_code:",
    ".code16",
    "cli",
    // LGDT CS:[second_gdtr - second_code], with a 32-bit base.
    ".byte 0x66, 0x2e, 0x0f, 0x01, 0x16",
    ".word second_gdtr - second_code",
    "mov eax, {l1pt}",
    "mov cr3, eax",
    "mov eax, {cr4}",
    "mov cr4, eax",
    "mov ecx, 0xc0000080",
    "mov eax, 0x900",
    "xor edx, edx",
    "wrmsr",
    "mov eax, {cr0}",
    "mov cr0, eax",
    ".byte 0x66, 0xea",
    ".long second_entry",
    ".word 0x08",
    ".balign 8",
    "second_gdtr: .word 0x3f",
    ".long {gdt}",
    "second_code_end:",
    ".skip 8",
    ".code64",
    "second_entry:",
    "mov ax, 0x10",
    "mov ds, ax",
    "mov es, ax",
    "mov ss, ax",
    "lea rsp, [rip + second_stack + {stack}]",
    "call {work}",
    ".section .bss",
    ".balign 16",
    "second_stack: .skip {stack}",
    ".text",
    l1pt = const L1PT,
    cr4 = const L1_CR4,
    cr0 = const L1_CR0,
    gdt = const L1_GDT,
    stack = const STACK,
    work = sym work,
);
