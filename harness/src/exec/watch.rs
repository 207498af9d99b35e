//! Telling a guest that is stuck from one that is slow.
//!
//! A busy machine must not make a verdict: what counts is the CPU time that
//! QEMU has had since the last case was finished, or that its threads sleep.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::ran::Stuck;

/// Awake in no more than one look of so many is at rest.
const RARELY: u32 = 10;

/// Looks at one QEMU.
#[derive(Debug)]
pub struct Watch {
    proc: PathBuf,
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
        let proc = PathBuf::from(format!("/proc/{}", pid.as_raw_pid()));
        Watch { proc, limit, done: 0, used: Duration::ZERO, looks: None }
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
    /// if the process is gone.
    fn threads(&self) -> Option<(Duration, bool)> {
        let used = cpu_time(&std::fs::read_to_string(self.proc.join("stat")).ok()?)?;
        let tasks = std::fs::read_dir(self.proc.join("task")).ok()?;
        let awake = tasks.flatten().any(|task| {
            std::fs::read_to_string(task.path().join("stat"))
                .is_ok_and(|stat| state(&stat) != Some("S"))
        });
        Some((used, awake))
    }
}

/// The fields of a `/proc/PID/stat` behind the name, which may hold anything.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split_ascii_whitespace()
}

fn state(stat: &str) -> Option<&str> {
    fields(stat).next()
}

/// User and system time.
fn cpu_time(stat: &str) -> Option<Duration> {
    let ticks: u64 = fields(stat).skip(11).take(2).filter_map(|f| f.parse::<u64>().ok()).sum();
    let per_second = rustix::param::clock_ticks_per_second();
    Some(Duration::from_millis(ticks * 1000 / per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_brackets_does_not_shift_the_fields() {
        let stat = "17 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 200 100 0 0 20 0";
        assert_eq!(state(stat), Some("S"));
        assert_eq!(cpu_time(stat), Some(Duration::from_secs(3)));
    }
}
