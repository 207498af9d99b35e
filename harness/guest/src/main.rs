//! The conformance guest: a bare-metal interpreter of cases.
//!
//! It knows nothing of SVM's rules. It finds encoded cases in memory, does what
//! they say, writes down what it saw, puts everything back, and goes on to the
//! next. See `svm-model/src/case/wire.rs` for the format and
//! `svm-model/src/case/world.rs` for the world that cases start from.

#![no_std]
#![no_main]

#[path = "../../../svm-model/src/case/layout.rs"]
#[allow(dead_code, unreachable_pub)]
mod layout;
#[path = "../../../svm-model/src/arch/msr.rs"]
#[allow(dead_code, unreachable_pub)]
mod msr;
#[path = "../../../svm-model/src/case/wire.rs"]
#[allow(dead_code, unreachable_pub)]
mod wire;

mod apic;
mod boot;
mod case;
mod cpu;
mod execute;
mod global;
mod mailbox;
mod memory;
mod output;
mod setup;
mod trap;
mod undo;

use wire::state;

/// Runs the batch. Also comes here when INIT has reset the CPU in a case; RAM,
/// and with it every static, is then as the case left it.
extern "C" fn main() -> ! {
    let before = mailbox::check();
    setup::cpu();
    match before {
        state::READY => setup::first_boot(),
        state::RUNNING => case::was_reset(),
        _ => case::undo(),
    }
    case::run_batch();
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    // Not an exception: the line of the source takes the place of RIP.
    let line = info.location().map_or(0, |l| l.line());
    mailbox::give_up(0xff, 0, line.into())
}
