//! The one way in which text for people reaches a terminal.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use harness::host::{out, paint, visible, wrap};

/// Prints a report: nothing in it is obeyed by a terminal, but for our colours,
/// which only a terminal gets, and it is as wide as a terminal. What programs read,
/// such as paths and JSON, goes another way.
pub(crate) fn show(text: &str) {
    let text = wrap::fitted(&visible::lines(text));
    let colours = std::io::stdout().is_terminal() && paint::wanted();
    let text = if colours { paint::paint(&text) } else { text };
    out::write(&text);
}

/// [`show`] with the end of the line.
pub(crate) fn line(text: impl Display) {
    show(&format!("{text}\n"));
}

/// Says on stderr why something is not done.
pub(crate) fn complain(e: &harness::Error) {
    let text = wrap::fitted(&visible::lines(&format!("error: {e}")));
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Says what the parser of the command line has to say: why it refuses it, or the help that
/// was asked for, which it fits to a terminal itself.
pub(crate) fn usage(e: &clap::Error) -> u8 {
    if e.use_stderr() {
        let colours = std::io::stderr().is_terminal() && paint::wanted();
        let text = e.render();
        let text = match colours {
            true => text.ansi().to_string(),
            false => visible::lines(&text.to_string()),
        };
        let _ = write!(std::io::stderr(), "{}", wrap::fitted(&text));
    } else {
        // A pipe may be closed.
        let _ = e.print();
    }
    u8::try_from(e.exit_code()).unwrap_or(2)
}
