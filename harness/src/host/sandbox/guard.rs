//! A watch over a confined program: time and memory of all that it started, and
//! what it puts on the disk.
//!
//! Not everything that a program can take shows in a process: memory of files
//! without a name, of pipes, of the kernel; files that are open and deleted. So
//! the machine's own free memory and disk have a floor, too.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Limits;
use crate::host::family::{self, Look};

/// Between two looks.
const TICK: Duration = Duration::from_millis(250);
/// Looks between two at whole folders: those take longer.
const FOLDERS: u32 = 8;
/// Bytes of memory that the machine keeps: this, or a sixteenth of what it has.
const MEMORY_LEFT: u64 = 512 << 20;
/// Bytes of a disk that stay free: this, or a part in 32.
const DISK_LEFT: u64 = 1 << 30;

/// The limit that a program went beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// It took longer.
    Time(Duration),
    /// It did nothing for longer.
    Idle(Duration),
    /// Its processes used more memory than these bytes.
    Memory(u64),
    /// The machine had less memory left than these bytes, for whatever reason.
    MemoryLeft(u64),
    /// What it can write held more than these bytes.
    Disk(u64),
    /// The disk that it can write had less left than these bytes, for whatever reason.
    DiskLeft(u64),
    /// What it can write held more files.
    Files(u64),
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exceeded::Time(limit) => write!(f, "killed: no end after {} s", limit.as_secs()),
            Exceeded::Idle(limit) => {
                write!(f, "killed: it did nothing for {} s", limit.as_secs())
            }
            Exceeded::Memory(limit) => {
                write!(f, "killed: it used more than {} MiB of memory", limit >> 20)
            }
            Exceeded::MemoryLeft(floor) => {
                write!(f, "killed: the machine had less than {} MiB of memory left", floor >> 20)
            }
            Exceeded::Disk(limit) => {
                write!(f, "killed: it put more than {} MiB on the disk", limit >> 20)
            }
            Exceeded::DiskLeft(floor) => {
                write!(f, "killed: the disk had less than {} MiB left", floor >> 20)
            }
            Exceeded::Files(limit) => write!(f, "killed: it made more than {limit} files"),
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
    /// beyond `limits`, `open` being what they can write. It must die with all
    /// that it started, as bubblewrap does.
    pub fn over(pid: Pid, limits: Limits, open: Vec<PathBuf>) -> Guard {
        let (stop, stopped) = mpsc::channel();
        let gone = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&gone);
        let thread = std::thread::spawn(move || {
            let start = Instant::now();
            let (mut looks, mut idle) = (0, Idle::from(start));
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                looks += 1;
                let whole = looks % FOLDERS == 0;
                let timed = (start.elapsed() > limits.time).then_some(Exceeded::Time(limits.time));
                let rested = family::look(pid).map(|look| idle.after(&look, Instant::now()));
                let waits = rested.is_some_and(|time| time > limits.idle);
                let exceeded = timed
                    .or(waits.then_some(Exceeded::Idle(limits.idle)))
                    .or_else(|| memory(pid, limits.memory))
                    .or_else(|| left(&open))
                    .or_else(|| if whole { disk(&open, &limits) } else { None });
                let Some(exceeded) = exceeded else { continue };
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

/// How long a program has done nothing.
#[derive(Debug)]
struct Idle {
    rested: Duration,
    used: Duration,
    at: Instant,
}

impl Idle {
    /// Work makes up for so many times the rest: whoever uses less than a hundredth of one
    /// processor does nothing.
    const WORTH: u32 = 100;

    fn from(at: Instant) -> Idle {
        Idle { rested: Duration::ZERO, used: Duration::ZERO, at }
    }

    /// The same after another look. A thread that waits for a processor works: others may
    /// have it. Time in which nobody looked, because we were stopped, does not count.
    fn after(&mut self, look: &Look, now: Instant) -> Duration {
        let passed = (now - self.at).min(4 * TICK);
        let ready = look.threads.iter().any(|thread| thread.state == 'R');
        let worked = if ready { passed } else { look.used.saturating_sub(self.used) };
        self.rested = (self.rested + passed).saturating_sub(worked * Self::WORTH);
        (self.used, self.at) = (look.used, now);
        self.rested
    }
}

/// Whether a family of processes, or the machine, has too much memory in use.
fn memory(pid: Pid, limit: u64) -> Option<Exceeded> {
    let used = family::members(pid).into_iter().map(family::resident).sum::<u64>();
    if used > limit {
        return Some(Exceeded::Memory(limit));
    }
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let bytes = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim_end_matches("kB").trim().parse::<u64>().ok()? << 10)
    };
    let floor = MEMORY_LEFT.min(bytes("MemTotal:")? / 16);
    (bytes("MemAvailable:")? < floor).then_some(Exceeded::MemoryLeft(floor))
}

/// Whether a disk below `open` is nearly full.
fn left(open: &[PathBuf]) -> Option<Exceeded> {
    open.iter().find_map(|path| {
        let disk = rustix::fs::statvfs(path).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        let floor = DISK_LEFT.min(bytes(disk.f_blocks) / 32);
        (bytes(disk.f_bavail) < floor).then_some(Exceeded::DiskLeft(floor))
    })
}

/// Whether `open` holds too much.
fn disk(open: &[PathBuf], limits: &Limits) -> Option<Exceeded> {
    let (mut bytes, mut files) = (0, 0);
    let mut folders: Vec<PathBuf> = Vec::new();
    let mut count = |path: &Path, folders: &mut Vec<PathBuf>| {
        // Links count as what they are; nothing that they lead to is its own.
        let Ok(meta) = path.symlink_metadata() else { return None };
        files += 1;
        bytes += meta.blocks() * 512;
        if meta.is_dir() {
            folders.push(path.to_owned());
        }
        if bytes > limits.disk {
            return Some(Exceeded::Disk(limits.disk));
        }
        (files > limits.files).then_some(Exceeded::Files(limits.files))
    };
    for path in open {
        if let exceeded @ Some(_) = count(path, &mut folders) {
            return exceeded;
        }
    }
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if let exceeded @ Some(_) = count(&entry.path(), &mut folders) {
                return exceeded;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::family::Thread;

    /// How long it has rested after a minute in which `state` is seen, and `used` of each second.
    fn rested(state: char, used: Duration) -> Duration {
        let start = Instant::now();
        let mut idle = Idle::from(start);
        for second in 1..=60 {
            let look = Look { threads: vec![Thread { state }], used: used * second };
            idle.after(&look, start + Duration::from_secs(second.into()));
        }
        idle.rested
    }

    #[test]
    fn who_works_or_waits_for_a_processor_does_not_rest() {
        let minute = Duration::from_secs(60);
        assert_eq!(rested('S', Duration::ZERO), minute);
        assert_eq!(rested('T', Duration::ZERO), minute);
        // vfork's parent looks as if it waited for a disk.
        assert_eq!(rested('D', Duration::ZERO), minute);
        assert_eq!(rested('S', Duration::from_millis(1)), minute * 9 / 10);
        assert_eq!(rested('S', Duration::from_millis(10)), Duration::ZERO);
        assert_eq!(rested('R', Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn time_in_which_nobody_looked_does_not_count() {
        let start = Instant::now();
        let mut idle = Idle::from(start);
        assert_eq!(idle.after(&Look::default(), start + Duration::from_secs(9999)), 4 * TICK);
    }
}
