//! The one way in which a report reaches standard output.

use std::io::{IsTerminal, Write};

use harness::host::{paint, visible};

/// Prints a report: nothing in it is obeyed by a terminal, but for our colours,
/// which only a terminal gets.
pub(crate) fn show(text: &str) {
    let text = visible::lines(text);
    let mut out = std::io::stdout().lock();
    let colours = out.is_terminal() && paint::wanted();
    let text = if colours { paint::paint(&text) } else { text };
    // Whoever reads us may have read enough.
    let _ = out.write_all(text.as_bytes());
}
