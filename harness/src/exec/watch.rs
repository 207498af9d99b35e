//! Telling a guest that is stuck from one that is slow.
//!
//! A busy machine must not make a verdict: what counts is the CPU time that
//! QEMU has had since the last case was finished, or that its threads sleep.

use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::ran::Stuck;
use crate::host::family;

/// Awake in no more than one look of so many is at rest.
const RARELY: u32 = 10;

/// Looks at one QEMU.
#[derive(Debug)]
pub struct Watch {
    pid: Pid,
    limit: Duration,
    /// Cases done at the last progress, and CPU time used by then.
    done: u32,
    used: Duration,
    /// Since when looks are counted, how many there were, and how many found a thread awake.
    looks: Option<(Instant, u32, u32)>,
}

impl Watch {
    /// Watches that process; `limit` is the time without progress that is too much.
    pub fn new(pid: Pid, limit: Duration) -> Watch {
        Watch { pid, limit, done: 0, used: Duration::ZERO, looks: None }
    }

    /// How the guest is stuck, if it is; `done` is how many cases it has finished.
    pub fn stalled(&mut self, done: u32, now: Instant) -> Option<Stuck> {
        let (used, awake) = self.threads()?;
        if done != self.done {
            (self.done, self.used, self.looks) = (done, used, None);
            return None;
        }
        if used.saturating_sub(self.used) >= self.limit {
            return Some(Stuck::Runaway);
        }
        let (since, looks, awakes) = self.looks.take().unwrap_or((now, 0, 0));
        let (looks, awakes) = (looks + 1, awakes + u32::from(awake));
        if now - since < self.limit {
            self.looks = Some((since, looks, awakes));
            return None;
        }
        // QEMU's own housekeeping wakes a thread now and then; one that waits for a core is
        // found awake nearly always.
        (awakes * RARELY <= looks).then_some(Stuck::Halted)
    }

    /// CPU time used so far, and whether a thread is running or wants to; `None`
    /// if the process is gone. One that is stopped does neither.
    fn threads(&self) -> Option<(Duration, bool)> {
        let look = family::look(self.pid)?;
        let awake = look.threads.iter().any(|t| !matches!(t.state, 'S' | 'T' | 't'));
        Some((look.used, awake))
    }
}
