//! What a person at the terminal sees while we work; all of it on stderr.
//!
//! stdout belongs to results (`--print-path`, reports), so nothing here writes
//! to it.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::host::{visible, wrap};

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
    work: Mutex<Option<Work>>,
}

/// A long piece of work that is going on.
#[derive(Debug)]
struct Work {
    begun: Instant,
    pace: Pace,
    /// On a terminal.
    bar: Option<ProgressBar>,
}

impl Console {
    /// A console for this process's stderr.
    pub fn new(verbosity: Verbosity) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Console { verbosity, terminal, work: Mutex::default() }
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

    /// Shows that `done` of `total` pieces are done, and how long the rest will
    /// take: one line that is redrawn on a terminal, else a line now and then.
    pub fn progress(&self, done: u64, total: u64, text: impl Display) {
        if self.verbosity < Verbosity::Normal || total == 0 {
            return;
        }
        let now = Instant::now();
        let mut work = self.work.lock().unwrap_or_else(|e| e.into_inner());
        let work = work.get_or_insert_with(|| Work {
            begun: now,
            pace: Pace::new(now),
            bar: self.terminal.then(|| bar(total)),
        });
        let left = left(now - work.begun, done, total);
        let text = visible::line(&text.to_string());
        match &work.bar {
            Some(bar) => {
                bar.set_length(total);
                bar.set_message(format!("{left}{text}"));
                bar.set_position(done);
            }
            None if work.pace.is_due(now) => {
                // A closed stderr is no reason to stop a build.
                let _ = writeln!(std::io::stderr(), "  [{done}/{total}] {left}{text}");
            }
            None => {}
        }
    }

    /// The work is done: removes its line, if one is drawn.
    pub fn end_progress(&self) {
        let work = self.work.lock().unwrap_or_else(|e| e.into_inner()).take();
        if let Some(bar) = work.and_then(|w| w.bar) {
            bar.finish_and_clear();
        }
    }

    fn say(&self, from: Verbosity, text: std::fmt::Arguments<'_>) {
        if self.verbosity < from {
            return;
        }
        let text = wrap::fitted(&visible::lines(&text.to_string()));
        let write = || _ = writeln!(std::io::stderr(), "{text}");
        let work = self.work.lock().unwrap_or_else(|e| e.into_inner());
        match work.as_ref().and_then(|w| w.bar.as_ref()) {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

/// One line on a terminal: `[#####-----] 246/290 12 min left: what is done`.
fn bar(total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("  [{bar:30}] {pos}/{len} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
        .with_style(style.progress_chars("##-"))
}

/// Lines in a log, none of them soon after another: work that is short has none.
#[derive(Debug)]
struct Pace {
    last: Instant,
}

impl Pace {
    const EVERY: Duration = Duration::from_secs(30);

    fn new(now: Instant) -> Pace {
        Pace { last: now }
    }

    fn is_due(&mut self, now: Instant) -> bool {
        let due = now - self.last >= Self::EVERY;
        if due {
            self.last = now;
        }
        due
    }
}

/// `12 min left: `, where it can be told.
fn left(so_far: Duration, done: u64, total: u64) -> String {
    /// Before that, it would jump about.
    const SURE: Duration = Duration::from_secs(3);
    if done == 0 || done >= total || so_far < SURE {
        return String::new();
    }
    let rest = so_far.as_secs_f64() / done as f64 * (total - done) as f64;
    match rest {
        s if s < 90.0 => format!("{s:.0} s left: "),
        s if s < 90.0 * 60.0 => format!("{:.0} min left: ", s / 60.0),
        s => format!("{:.1} h left: ", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_once_there_is_something_to_go_by() {
        let left = |s, done, total| left(Duration::from_secs(s), done, total);
        assert_eq!((left(2, 5, 10), left(9, 0, 10), left(9, 10, 10)), Default::default());
        assert_eq!(left(10, 5, 10), "10 s left: ");
        assert_eq!(left(600, 246, 541), "12 min left: ");
        assert_eq!(left(3600, 10, 100), "9.0 h left: ");
    }

    #[test]
    fn a_log_gets_a_line_every_half_minute_and_none_for_what_is_short() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let said = (0..=3600).filter(|s| pace.is_due(start + Duration::from_secs(*s)));
        let said: Vec<u64> = said.collect();
        assert_eq!((said.len(), said[0]), (120, 30));
    }
}
