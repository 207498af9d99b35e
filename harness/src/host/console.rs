//! What a person at the terminal sees while we work; all of it on stderr.
//!
//! stdout belongs to results (`--print-path`, reports), so nothing here writes
//! to it.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::host::visible;

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Steps and progress.
    #[default]
    Normal,
    /// Also the commands that are run.
    Verbose,
}

/// Writes steps, notes and one progress line to stderr.
#[derive(Debug)]
pub struct Console {
    verbosity: Verbosity,
    terminal: bool,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    drawn: bool,
    last: Option<Instant>,
}

/// Between two plain progress lines when stderr is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// Between two redraws on a terminal.
const REDRAW_EVERY: Duration = Duration::from_millis(80);

impl Console {
    /// A console for this process's stderr.
    pub fn new(verbosity: Verbosity) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Console { verbosity, terminal, line: Mutex::default() }
    }

    /// How much is said.
    pub fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    /// A step that takes a while and begins now.
    pub fn step(&self, text: impl Display) {
        self.say(Verbosity::Normal, format_args!("· {text}"));
    }

    /// Something the user may want to know.
    pub fn note(&self, text: impl Display) {
        self.say(Verbosity::Normal, format_args!("  {text}"));
    }

    /// Something that is not right but does not stop the work.
    pub fn warn(&self, text: impl Display) {
        self.say(Verbosity::Quiet, format_args!("warning: {text}"));
    }

    /// A detail, shown with `-v` only.
    pub fn detail(&self, text: impl Display) {
        self.say(Verbosity::Verbose, format_args!("  {text}"));
    }

    /// Shows that `done` of `total` pieces are done: a bar that is redrawn on a
    /// terminal, else a plain line now and then.
    pub fn progress(&self, done: u64, total: u64, text: impl Display) {
        if self.verbosity < Verbosity::Normal || total == 0 {
            return;
        }
        let mut line = self.line.lock().unwrap_or_else(|e| e.into_inner());
        let every = if self.terminal { REDRAW_EVERY } else { PLAIN_EVERY };
        let due = line.last.is_none_or(|t| t.elapsed() >= every);
        if !due && done < total {
            return;
        }
        line.last = Some(Instant::now());
        let mut err = std::io::stderr().lock();
        // A closed stderr is no reason to stop a build.
        let _ = if self.terminal {
            line.drawn = true;
            write!(err, "\r\x1b[K  {}", clip(&format!("{} {text}", bar(done, total))))
        } else {
            writeln!(err, "  [{done}/{total}] {text}")
        };
        let _ = err.flush();
    }

    /// Removes the progress bar, if one is drawn.
    pub fn end_progress(&self) {
        let mut line = self.line.lock().unwrap_or_else(|e| e.into_inner());
        if line.drawn {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        *line = Line::default();
    }

    fn say(&self, from: Verbosity, text: std::fmt::Arguments<'_>) {
        if self.verbosity < from {
            return;
        }
        let text = visible::lines(&text.to_string());
        let mut line = self.line.lock().unwrap_or_else(|e| e.into_inner());
        let erase = if std::mem::take(&mut line.drawn) { "\r\x1b[K" } else { "" };
        let _ = writeln!(std::io::stderr(), "{erase}{text}");
    }
}

/// A bar of thirty cells and the counts.
fn bar(done: u64, total: u64) -> String {
    const CELLS: u64 = 30;
    let full = (done.min(total) * CELLS / total) as usize;
    format!("[{}{}] {done}/{total}", "#".repeat(full), "-".repeat(CELLS as usize - full))
}

/// Keeps a redrawn line on one row of a narrow terminal.
fn clip(text: &str) -> String {
    text.chars().take(76).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_empty_at_the_start_and_full_at_the_end() {
        assert_eq!(bar(0, 7), format!("[{}] 0/7", "-".repeat(30)));
        assert_eq!(bar(7, 7), format!("[{}] 7/7", "#".repeat(30)));
        assert_eq!(bar(9, 7), format!("[{}] 9/7", "#".repeat(30)));
    }
}
