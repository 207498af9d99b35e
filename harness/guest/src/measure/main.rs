//! The measuring guest: does what it is told many times over, and writes down
//! how long it took. See `protocol.rs`.
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

mod clock;
mod interrupts;
mod mailbox;
mod run;
mod work;

use protocol::{MAGIC, TASK_MAX, VERSION, header, kind, state, task};

/// Does the tasks, and ends QEMU.
extern "C" fn main() -> ! {
    let sane = mailbox::get(header::MAGIC) == MAGIC && mailbox::get(header::VERSION) == VERSION;
    let tasks = mailbox::get(header::TASKS);
    if !sane || tasks > TASK_MAX {
        mailbox::finish(state::BAD_INPUT, 0, 0);
    }
    interrupts::init();
    if mailbox::get(header::UNTIMED) == 0 {
        clock::init();
    }
    for n in 0..tasks {
        one(&mailbox::Task(n));
        mailbox::set(header::DONE, n + 1);
    }
    mailbox::finish(state::DONE, 0, 0)
}

fn one(task: &mailbox::Task) {
    let trips = task.get(task::TRIPS);
    match task.get(task::KIND) {
        kind @ (kind::ROUND_TRIP | kind::SPLIT | kind::EXIT) => run::task(task, kind),
        kind::MEMORY => clock::samples(task, || work::memory(trips)),
        kind::CALLS => clock::samples(task, || work::calls(trips)),
        kind::INTERRUPTS => clock::samples(task, || work::interrupts(trips)),
        kind::PAGING => clock::samples(task, || work::paging(trips)),
        kind::SYSTEM => clock::samples(task, || work::system(trips)),
        _ => mailbox::finish(state::BAD_INPUT, 0, 0),
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    let line = info.location().map_or(0, |l| l.line());
    mailbox::finish(state::EXCEPTION, 0xff, line.into())
}
