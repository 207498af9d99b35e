//! The model in a program that has no std: it compiles only as long as neither the
//! model nor what it depends on has, since there can be one panic handler only. It
//! runs one case; exit code 0 says that L2's VMMCALL has exited.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::string::String;
use alloc::vec;
use core::alloc::{GlobalAlloc, Layout};
use core::ffi::{c_int, c_void};

use svm_model::case::{Case, Cpu, Step, world};
use svm_model::outcome::Obs;
use svm_model::vmcb::{Field, exit};
use svm_model::{Feature, coverage, model};

/// The case above, as an exit code.
#[unsafe(no_mangle)]
pub extern "C" fn main() -> c_int {
    let case = Case {
        id: String::from("no-std/vmmcall"),
        feature: Feature::Intercepts,
        cpu: Cpu::default(),
        program: vec![],
        steps: vec![Step::Vmrun(world::VMCB)],
    };
    let code = match model::run(&case, &coverage::FULL).obs.as_slice() {
        [Obs::Exit(seen)] => seen.vmcb.get(Field::EXITCODE),
        _ => None,
    };
    c_int::from(code != Some(exit::VMMCALL))
}

#[link(name = "c")]
unsafe extern "C" {
    fn aligned_alloc(align: usize, size: usize) -> *mut c_void;
    fn free(at: *mut c_void);
    fn abort() -> !;
}

/// libc's memory.
struct Libc;

// SAFETY: as C has it; the size is a multiple of the alignment, as it demands.
unsafe impl GlobalAlloc for Libc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let layout = layout.pad_to_align();
        // SAFETY: any power of two that is that of a layout, and a multiple of it.
        unsafe { aligned_alloc(layout.align().max(8), layout.size()).cast() }
    }

    unsafe fn dealloc(&self, at: *mut u8, _: Layout) {
        // SAFETY: it came from `alloc`.
        unsafe { free(at.cast()) }
    }
}

#[global_allocator]
static LIBC: Libc = Libc;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: always.
    unsafe { abort() }
}

/// What the prebuilt `alloc` names, and a program that aborts never calls.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
