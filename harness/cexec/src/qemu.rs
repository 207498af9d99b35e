//! The shim, safely.

use std::ffi::CStr;

use crate::ram::Ram;

#[allow(
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    // The processor's state is C's alone; only pointers to it come here.
    improper_ctypes,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    unnecessary_transmutes
)]
mod raw {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

pub(crate) use raw::{CxCpuidBit as CpuidBit, CxEvent as Event, CxStop as Stop};

/// QEMU's number of a segment register.
pub(crate) mod segment {
    pub(crate) const ES: usize = 0;
    pub(crate) const CS: usize = 1;
    pub(crate) const SS: usize = 2;
    pub(crate) const DS: usize = 3;
}

/// Number of RSP.
pub(crate) const RSP: usize = 4;

/// The CPU. There is one, so this is made once.
pub(crate) struct Cpu {
    env: *mut raw::CPUArchState,
}

impl Cpu {
    /// `max,+svm` but those features.
    pub(crate) fn new(ram: Ram, without: &[CpuidBit]) -> Cpu {
        // SAFETY: RAM stays mapped; the features are copied.
        unsafe {
            raw::cx_init(ram.base(), ram.size(), without.as_ptr(), without.len() as u32);
            Cpu { env: raw::cx_env() }
        }
    }

    /// Its registers.
    pub(crate) fn env(&mut self) -> &mut raw::CPUArchState {
        // SAFETY: C does not run while the reference lives, since running takes `&mut self`.
        unsafe { &mut *self.env }
    }

    /// CPUID.
    pub(crate) fn cpuid(&mut self, leaf: u32, subleaf: u32) -> [u32; 4] {
        let mut out = [0; 4];
        // SAFETY: C writes four numbers.
        unsafe { raw::cx_cpuid(leaf, subleaf, out.as_mut_ptr()) };
        out
    }

    /// Makes 64-bit L1 of it.
    pub(crate) fn become_l1(&mut self, cr0: u64, cr3: u64, cr4: u64, efer: u64) {
        // SAFETY: values only.
        unsafe { raw::cx_become_l1(cr0, cr3, cr4, efer) };
    }

    /// Remembers CPU and memory as the start of every case.
    pub(crate) fn keep_start(&mut self) {
        // SAFETY: C's own state only.
        unsafe { raw::cx_keep_start() };
    }

    /// Puts CPU and memory back.
    pub(crate) fn restart(&mut self) {
        // SAFETY: C writes RAM that it has written before.
        unsafe { raw::cx_restart() };
    }

    /// Writes memory; [`Cpu::restart`] undoes it. `None` outside RAM.
    pub(crate) fn write(&mut self, pa: u64, value: u64, width: u8) -> Option<()> {
        // SAFETY: C checks the address.
        unsafe { raw::cx_write(pa, value, width.into()) }.then_some(())
    }

    /// On to flat 64-bit code: by an IRETQ, which ends what blocks NMIs, or by a jump.
    pub(crate) fn enter(&mut self, rip: u64, rsp: u64, rflags: u64, iret: bool) {
        // SAFETY: values only.
        unsafe { raw::cx_enter(rip, rsp, rflags, 0x08, 0x10, iret) };
    }

    /// LGDT and LIDT.
    pub(crate) fn tables(&mut self, gdt: (u64, u32), idt: (u64, u32)) {
        // SAFETY: values only.
        unsafe { raw::cx_tables(gdt.0, gdt.1, idt.0, idt.1) };
    }

    /// Where L1's 256 trap stubs are.
    pub(crate) fn stubs(&mut self, first: u64, step: u64) {
        // SAFETY: values only.
        unsafe { raw::cx_stubs(first, step) };
    }

    /// Runs until RIP is `end` in L1, or something else stops it.
    pub(crate) fn run(&mut self, end: u64, resume: bool, budget: u32) -> Stop {
        // SAFETY: no reference to the CPU's state is alive; RAM is reached through pointers.
        unsafe { raw::cx_run(end, resume, budget) }
    }

    /// Whether NOPs would change nothing.
    pub(crate) fn quiet(&self) -> bool {
        // SAFETY: reads only.
        unsafe { raw::cx_quiet() }
    }

    /// What [`Stop::CX_OPEN`] wanted.
    pub(crate) fn why(&self) -> String {
        // SAFETY: a string literal of C's, or null before the first stop.
        let why = unsafe { raw::cx_why() };
        if why.is_null() {
            "?".into()
        } else {
            // SAFETY: as above.
            unsafe { CStr::from_ptr(why) }.to_string_lossy().into()
        }
    }

    /// Raises an event.
    pub(crate) fn raise(&mut self, event: Event, vector: u8) {
        // SAFETY: values only.
        unsafe { raw::cx_raise(event, vector) };
    }

    /// Ends the interrupt `vector`; whether it was being served.
    pub(crate) fn end_interrupt(&mut self, vector: u8) -> bool {
        // SAFETY: values only.
        let served = unsafe { raw::cx_in_service(vector) };
        if served {
            // SAFETY: as above.
            unsafe { raw::cx_eoi() };
        }
        served
    }

    /// RFLAGS.
    pub(crate) fn rflags(&self) -> u64 {
        // SAFETY: reads only.
        unsafe { raw::cx_rflags() }
    }

    /// CR8.
    pub(crate) fn cr8(&self) -> u64 {
        // SAFETY: reads only.
        unsafe { raw::cx_cr8() }
    }

    /// GIF.
    pub(crate) fn gif(&self) -> bool {
        // SAFETY: reads only.
        unsafe { raw::cx_gif() }
    }
}
