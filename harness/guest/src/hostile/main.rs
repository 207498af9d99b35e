//! The hostile guest: VMRUN with VMCBs that no hypervisor would write, drawn from
//! a seed. See `protocol.rs`.
//!
//! It makes attempts by number. Whatever becomes of one, the next begins from the
//! same world as far as L1 can put it back; an attempt that ends in a reset of the
//! machine or of this CPU goes on behind itself, through the reset vector. The
//! number of the attempt is in memory, so that the harness knows it where QEMU ends.
//!
//! It shares the way into Rust with the conformance guest, and its world:
//! `svm-model/src/case/world.rs`.

#![no_std]
#![no_main]

#[path = "../../../../svm-model/src/case/layout.rs"]
#[allow(dead_code, unreachable_pub)]
mod layout;
#[path = "../../../../svm-model/src/arch/msr.rs"]
#[allow(dead_code, unreachable_pub)]
mod msr;
#[allow(dead_code, unreachable_pub)]
mod protocol;
#[path = "../../../../svm-model/src/case/wire.rs"]
#[allow(dead_code, unreachable_pub)]
mod wire;

#[path = "../boot.rs"]
mod boot;
#[path = "../cpu.rs"]
#[allow(dead_code)]
mod cpu;
#[path = "../memory.rs"]
mod memory;

mod apic;
mod attempt;
mod code;
mod draw;
mod mailbox;
mod places;
mod run;
mod second;
mod trap;
mod world;

use protocol::{EPOCH, MAGIC, VERSION, flag, header, state};

/// Makes the attempts that are left, and ends QEMU. Also comes here from every reset.
extern "C" fn main() -> ! {
    if mailbox::get(header::MAGIC) != MAGIC || mailbox::get(header::VERSION) != VERSION {
        mailbox::finish(state::BAD_INPUT);
    }
    let first = mailbox::get(header::FIRST);
    let again = mailbox::get(header::STATE) == state::RUNNING;
    // The one that ended in a reset is over.
    let from = match mailbox::get_checked(header::NOW) {
        Some(now) if again => now + 1,
        // L2 has written to it: the harness starts behind what it saw last.
        None if again => mailbox::finish(state::BAD_INPUT),
        _ => first,
    };
    mailbox::add(header::RESETS, 1);
    if !again {
        mailbox::set_checked(header::VMRUNS, 0);
        world::keep();
    }
    if !run::init() {
        mailbox::finish(state::NO_SVM);
    }
    mailbox::set_checked(header::NOW, from);
    mailbox::set(header::STATE, state::RUNNING);
    attempts(from)
}

fn attempts(from: u64) -> ! {
    let (seed, end) = (mailbox::get(header::SEED), mailbox::get(header::END));
    let flags = mailbox::get(header::FLAGS);
    world::restore();
    code::draw(seed, from / EPOCH, flags);
    if flags & flag::SECOND != 0 {
        second::start();
    }
    for n in from..end {
        mailbox::set_checked(header::NOW, n);
        if n != from && n % EPOCH == 0 {
            code::draw(seed, n / EPOCH, flags);
        }
        attempt::make(seed, n, flags);
    }
    mailbox::finish(state::DONE)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // L2 has written to what this program stands on; a reset begins anew.
    trap::shut_down()
}
