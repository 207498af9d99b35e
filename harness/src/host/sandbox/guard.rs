//! A watch over a confined program: time and memory of all that it started.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Limits;
use crate::host::family;

/// Between two looks.
const TICK: Duration = Duration::from_millis(250);

/// The limit that a program went beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// It took longer.
    Time(Duration),
    /// Its processes used more memory than these bytes.
    Memory(u64),
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exceeded::Time(limit) => write!(f, "killed: no end after {} s", limit.as_secs()),
            Exceeded::Memory(limit) => write!(f, "killed: it used more than {} MiB", limit >> 20),
        }
    }
}

/// Watches until it is asked for its word, or dropped.
#[derive(Debug)]
pub struct Guard {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<Option<Exceeded>>>,
    /// The program was waited for: its id may be another's by now.
    gone: Arc<AtomicBool>,
}

impl Guard {
    /// Watches the process `pid`, which is killed when it and its descendants go
    /// beyond `limits`. It must die with all that it started, as bubblewrap does.
    pub fn over(pid: Pid, limits: Limits) -> Guard {
        let (stop, stopped) = mpsc::channel();
        let gone = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&gone);
        let thread = std::thread::spawn(move || {
            let start = Instant::now();
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                let memory = family::members(pid).into_iter().map(family::resident).sum::<u64>();
                let exceeded = if start.elapsed() > limits.time {
                    Exceeded::Time(limits.time)
                } else if memory > limits.memory {
                    Exceeded::Memory(limits.memory)
                } else {
                    continue;
                };
                if !over.load(Ordering::SeqCst) {
                    let _ = kill_process(pid, Signal::KILL);
                }
                return Some(exceeded);
            }
            None
        });
        Guard { stop: Some(stop), thread: Some(thread), gone }
    }

    /// The program has ended; the limit that ended it, if one did.
    pub fn verdict(mut self) -> Option<Exceeded> {
        self.end()
    }

    fn end(&mut self) -> Option<Exceeded> {
        self.gone.store(true, Ordering::SeqCst);
        self.stop.take();
        self.thread.take().and_then(|t| t.join().ok()).flatten()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.end();
    }
}
