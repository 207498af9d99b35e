//! Ctrl-C, SIGTERM and SIGHUP: stop the children, say so, exit with 130.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::host::error::Context;
use crate::host::process;
use crate::{Error, Kind, Result};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How long children get to clean up before they are killed.
const GRACE: Duration = Duration::from_secs(3);

/// Starts to listen. Call once, from `main`, before any child is started.
///
/// The first signal asks every child's process group to stop and makes
/// [`check`] fail; a second one kills them and exits at once.
///
/// # Errors
/// Harness, when the handlers cannot be installed.
pub fn listen() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .doing(Kind::Harness, || "installing the signal handlers".into())?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            if INTERRUPTED.swap(true, Ordering::SeqCst) {
                process::signal_all(Signal::KILL);
                std::process::exit(Kind::Interrupted.exit_code().into());
            }
            process::signal_all(Signal::TERM);
            std::thread::spawn(|| {
                std::thread::sleep(GRACE);
                process::signal_all(Signal::KILL);
            });
        }
    });
    Ok(())
}

/// Has a signal arrived?
pub fn requested() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Fails once a signal has arrived; call between steps and when a child failed.
///
/// # Errors
/// Interrupted.
pub fn check() -> Result<()> {
    if requested() {
        return Err(Error::new(Kind::Interrupted, "interrupted")
            .hint("what was finished is kept; the same command goes on from there"));
    }
    Ok(())
}
