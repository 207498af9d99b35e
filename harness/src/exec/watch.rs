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

/// Limits without any processor time are too many even for one that waits for a
/// core, or for a disk: whatever it looks like, it does not run.
const LONG: u32 = 60;

/// Looks at one QEMU.
#[derive(Debug)]
pub struct Watch {
    pid: Pid,
    limit: Duration,
    /// Cases done at the last progress, and CPU time used by then.
    done: u32,
    used: Duration,
    /// When there was progress last, or processor time passed.
    alive: Option<(Instant, Duration)>,
    /// Since when looks are counted, how many there were, and how many found a thread awake.
    looks: Option<(Instant, u32, u32)>,
}

impl Watch {
    /// Watches that process; `limit` is the time without progress that is too much.
    pub fn new(pid: Pid, limit: Duration) -> Watch {
        Watch { pid, limit, done: 0, used: Duration::ZERO, alive: None, looks: None }
    }

    /// How the guest is stuck, if it is; `done` is how many cases it has finished.
    pub fn stalled(&mut self, done: u32, now: Instant) -> Option<Stuck> {
        let (used, awake) = self.threads()?;
        if done != self.done {
            (self.done, self.used, self.looks) = (done, used, None);
            self.alive = Some((now, used));
            return None;
        }
        let (since, then) = *self.alive.get_or_insert((now, used));
        if then != used {
            self.alive = Some((now, used));
        } else if now - since >= self.limit * LONG {
            return Some(Stuck::Halted);
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

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::process::Signal;

    use super::*;
    use crate::host::process;

    #[test]
    fn one_that_somebody_stopped_is_stuck_although_it_does_not_sleep() {
        let mut c = Command::new("sh");
        let mut running = process::spawn(c.args(["-c", "while :; do :; done"])).unwrap();
        let pid = Pid::from_child(running.child());
        running.signal(Signal::STOP);
        let start = Instant::now();
        let mut watch = Watch::new(pid, Duration::from_millis(200));
        let mut looks = 0;
        let stuck = loop {
            match watch.stalled(0, Instant::now()) {
                None if looks < 3000 => looks += 1,
                stuck => break stuck,
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(stuck, Some(Stuck::Halted), "after {:?}", start.elapsed());
    }

    #[test]
    fn one_that_gets_no_processor_time_at_all_is_given_up_in_the_end() {
        // One that has ended and is not waited for neither sleeps nor gets any.
        let mut running = process::spawn(&mut Command::new("true")).unwrap();
        let pid = Pid::from_child(running.child());
        let ended = || family::look(pid).is_some_and(|l| l.threads.iter().all(|t| t.state == 'Z'));
        while !ended() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let limit = Duration::from_secs(2);
        let mut watch = Watch::new(pid, limit);
        let start = Instant::now();
        assert_eq!(watch.stalled(0, start), None);
        assert_eq!(watch.stalled(0, start + limit * 2), None);
        assert_eq!(watch.stalled(0, start + limit * LONG), Some(Stuck::Halted));
    }
}
