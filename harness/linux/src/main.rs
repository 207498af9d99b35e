//! The first process of the guests that `cargo xtask bench` boots; the kernel's
//! command line says with `role=…` what it is to do. It prints lines that begin
//! with [`report::MARK`], and turns the machine off.
//!
//! | role | what it does | its words |
//! |---|---|---|
//! | `boot` | nothing | `up` |
//! | `exits` | loads KVM, and measures exits of a small L2 | `exit-NAME NS` for each, `done` |
//! | `l2` | loads KVM, and boots a Linux L2 | `l2-start`, L2's own, `done` |
//! | `beside` | loads KVM, and has processes under stress beside a Linux L2 | `seen TEST …`, `done` |
//! | `selftests` | loads KVM, and runs its selftests | `begin TEST`, `end TEST …` for each, `done` |
//! | `dom0` | is Xen's first domain, and starts guests | `seen TEST RUNS FAILURES` for each, `done` |
//! | `load` | computes for ever, in such a guest | `load ROUNDS …` |
//! | `stress` | is a process under stress, of L1 or the first domain | |
//!
//! When it cannot go on it says `failed: WHY`.

mod acpi;
mod beside;
mod dom0;
mod exits;
mod guest;
mod kvm;
mod l2;
mod load;
mod report;
mod selftests;
mod serial;
mod stress;

/// What went wrong, as the host is told.
type Result<T> = std::result::Result<T, String>;

/// Says what failed, and at what.
trait Context<T> {
    fn doing(self, what: &str) -> Result<T>;
}

impl<T, E: std::fmt::Display> Context<T> for std::result::Result<T, E> {
    fn doing(self, what: &str) -> Result<T> {
        self.map_err(|e| format!("{what}: {e}"))
    }
}

fn main() {
    let role = std::env::var("role").unwrap_or_default();
    let done = match role.as_str() {
        "boot" => Ok("up"),
        "exits" => kvm::open().and_then(|kvm| exits::measure(&kvm)).map(|()| "done"),
        "l2" => kvm::open().and_then(|kvm| l2::boot(&kvm)).map(|()| "done"),
        "beside" => kvm::open().and_then(|kvm| l2::beside(&kvm)).map(|()| "done"),
        "selftests" => kvm::open().and_then(|_| selftests::run()).map(|()| "done"),
        "dom0" => dom0::run().map(|()| "done"),
        "load" => load::run(),
        // Not the first process: it just ends.
        "stress" => return stress::rounds(),
        other => Err(format!("there is no role {other:?}")),
    };
    match done {
        Ok(word) => report::line(word),
        Err(why) => report::line(format_args!("failed: {why}")),
    }
    off()
}

/// Ends the machine. QEMU is told not to start it again (`-no-reboot`).
fn off() -> ! {
    let e = rustix::system::reboot(rustix::system::RebootCommand::Restart);
    report::line(format_args!("failed: turning the machine off: {e:?}"));
    loop {
        std::thread::park();
    }
}
