//! A QEMU that is followed, interval by interval.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use svm_model::cpu::Platform;

use super::attach::{Attached, ECHO};
use super::check::Checker;
use super::child::Child;
use super::count::{Counter, Counts};
use super::line::{Read, read};
use super::pipe::{Came, Lines, Pipe};
use crate::Result;
use crate::explain::running::Running;
use crate::host::interrupt;

/// Which QEMU.
#[derive(Clone, Debug)]
pub enum Which {
    /// One that runs, whose QMP listens there.
    Running(PathBuf),
    /// One that is to be started: the program and its arguments.
    Start(Vec<String>),
}

/// How it is followed.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which QEMU.
    pub which: Which,
    /// Between two looks.
    pub interval: Duration,
    /// For how long; without it, until QEMU ends, or an interrupt comes.
    pub limit: Option<Duration>,
    /// The model stands beside.
    pub check: bool,
}

/// What is known at the end of an interval.
#[derive(Debug)]
pub struct Look<'a> {
    /// Which QEMU, for a title.
    pub title: &'a str,
    /// Seconds since we began.
    pub seconds: f64,
    /// Seconds since the look before.
    pub interval: f64,
    /// What was counted until now.
    pub counter: &'a Counter,
    /// What was counted until the look before.
    pub before: &'a Counts,
    /// With the check, what it found.
    pub checker: Option<&'a Checker>,
}

/// What was seen in all.
#[derive(Debug)]
pub struct Seen {
    /// Which QEMU, for a title.
    pub title: String,
    /// Seconds.
    pub seconds: f64,
    /// What was counted.
    pub counter: Counter,
    /// With the check, what it found.
    pub checker: Option<Checker>,
    /// What the user should know beside.
    pub notes: Vec<String>,
}

impl Seen {
    /// All of it, as one interval.
    pub fn look<'a>(&'a self, nothing: &'a Counts) -> Look<'a> {
        Look {
            title: &self.title,
            seconds: self.seconds,
            interval: self.seconds,
            counter: &self.counter,
            before: nothing,
            checker: self.checker.as_ref(),
        }
    }

    /// Whether QEMU has done something that the manual does not say.
    pub fn differs(&self) -> bool {
        self.checker.as_ref().is_some_and(|checker| !checker.found.is_empty())
    }
}

/// Follows a QEMU, and shows it at the end of each interval.
///
/// # Errors
/// As [`Child::start`], [`Attached::attach`] and, with the check, [`Running::platform`].
pub fn follow(options: &Options, show: &mut dyn FnMut(&Look<'_>)) -> Result<Seen> {
    let mut child = match &options.which {
        Which::Running(_) => None,
        Which::Start(arguments) => Some(Child::start(arguments)?),
    };
    let socket = match (&options.which, &child) {
        (_, Some(child)) => child.socket(),
        (Which::Running(socket), None) => socket.clone(),
        (Which::Start(_), None) => return Err(crate::Error::new(crate::Kind::Harness, "no QEMU")),
    };
    let pipe = Pipe::make(ECHO)?;
    let begun = begin(&socket, options.check, &pipe);
    let (platform, mut attached) = begun.map_err(|e| match &mut child {
        Some(child) => child.why(e),
        None => e,
    })?;
    pipe.open();
    if child.as_ref().is_some_and(|child| !child.waits) {
        attached.go()?;
    }
    let title = title(options, attached.process);
    let mut following = Following {
        title,
        begun: Instant::now(),
        counter: Counter::default(),
        checker: platform.map(Checker::new),
        lines: Lines::default(),
    };
    following.until_the_end(&pipe, options, show);
    pipe.deafen();
    let seconds = following.begun.elapsed().as_secs_f64();
    let mut notes: Vec<String> =
        attached.detach().filter(|_| child.is_none()).into_iter().collect();
    drop(attached);
    if let Some(child) = &mut child {
        child.end();
        notes.extend(Some(child.said()).filter(|said| !said.trim().is_empty()));
    }
    if following.counter.counts.all_exits() + following.counter.counts.vmruns == 0 {
        notes.push("QEMU has entered no guest".into());
    }
    let Following { title, counter, checker, .. } = following;
    Ok(Seen { title, seconds, counter, checker, notes })
}

/// What the model must know of the processor, of which all of a machine are alike, and the
/// QEMU with its trace on.
fn begin(socket: &Path, check: bool, pipe: &Pipe) -> Result<(Option<Platform>, Attached)> {
    let platform = match check {
        true => Some(Running::stop(socket, 0)?.platform()?),
        false => None,
    };
    Ok((platform, Attached::attach(socket, check, pipe)?))
}

fn title(options: &Options, process: Option<i32>) -> String {
    let process = process.map(|process| format!(" (process {process})")).unwrap_or_default();
    match &options.which {
        Which::Running(socket) => format!("QEMU at {}{process}", socket.display()),
        Which::Start(words) => format!("{}{process}", words[0]),
    }
}

struct Following {
    title: String,
    begun: Instant,
    counter: Counter,
    checker: Option<Checker>,
    lines: Lines,
}

impl Following {
    fn until_the_end(&mut self, pipe: &Pipe, options: &Options, show: &mut dyn FnMut(&Look<'_>)) {
        let (mut before, mut last) = (Counts::default(), self.begun);
        loop {
            let now = Instant::now();
            if options.limit.is_some_and(|limit| now - self.begun >= limit) {
                return;
            }
            if now - last >= options.interval {
                self.shown(&before, (now - last).as_secs_f64(), show);
                before = self.counter.counts.clone();
                last = now;
            }
            let left = options.interval.saturating_sub(now - last);
            // An interrupt is heard in time.
            match pipe.next(left.min(Duration::from_millis(100))) {
                Came::Lines(chunk) => self.take(&chunk),
                Came::Nothing => {}
                Came::End => return,
            }
            if interrupt::requested() {
                return;
            }
        }
    }

    fn shown(&self, before: &Counts, interval: f64, show: &mut dyn FnMut(&Look<'_>)) {
        show(&Look {
            title: &self.title,
            seconds: self.begun.elapsed().as_secs_f64(),
            interval,
            counter: &self.counter,
            before,
            checker: self.checker.as_ref(),
        });
    }

    fn take(&mut self, chunk: &[u8]) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let Following { counter, checker, lines, .. } = self;
        lines.cut(chunk, &mut |text| match read(text) {
            Read::Line(line) => {
                counter.take(&line, seconds);
                if let Some(checker) = checker {
                    checker.take(&line);
                }
            }
            Read::Unreadable => counter.counts.unreadable += 1,
            Read::Other => {}
        });
    }
}
