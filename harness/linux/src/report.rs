//! What the host reads on the serial console.

use std::fmt::Display;
use std::io::Write;

/// How each line of ours begins; the kernel prints others.
pub(crate) const MARK: &str = "svm-bench: ";

/// Prints one line, and waits until it has left the serial port: the kernel drops
/// what it still has when the machine is turned off. Nobody is there to be told
/// that it cannot be printed.
pub(crate) fn line(text: impl Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{MARK}{text}").and_then(|()| out.flush());
    let _ = rustix::termios::tcdrain(&out);
}

/// Waits until what was printed with `println` has left.
pub(crate) fn flush() {
    let _ = std::io::stdout().flush();
}
