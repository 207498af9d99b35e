//! A process and all that it started, as `/proc` shows them.
//!
//! A program in a sandbox is a grandchild of what we started: whoever looks at
//! processor time or memory must look at the whole family.

use std::time::Duration;

use rustix::process::Pid;

/// More processes than any of ours starts; a fork bomb is not followed further.
const MOST: usize = 4096;

/// `pid` first, then its descendants. Where the kernel does not tell of children,
/// `pid` alone.
pub fn members(pid: Pid) -> Vec<i32> {
    let mut all = vec![pid.as_raw_pid()];
    let mut at = 0;
    while at < all.len() && all.len() < MOST {
        let threads = std::fs::read_dir(format!("/proc/{}/task", all[at]));
        for thread in threads.into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(thread.path().join("children"));
            let children = text.unwrap_or_default();
            all.extend(children.split_ascii_whitespace().filter_map(|c| c.parse::<i32>().ok()));
        }
        at += 1;
    }
    all
}

/// Resident memory of one process, in bytes.
pub fn resident(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages = text.split_ascii_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// What one thread says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its state, one letter: `S` sleeps, `T` is stopped.
    pub state: char,
}

/// All threads of a family, and the processor time that it has used. Time of
/// members that have ended is in their parent's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Every thread.
    pub threads: Vec<Thread>,
    /// Processor time so far.
    pub used: Duration,
}

/// Looks at `pid` and its descendants; `None` when it is gone.
pub fn look(pid: Pid) -> Option<Look> {
    let mut all = Look::default();
    for member in members(pid) {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{member}/stat")) else { continue };
        all.used += cpu_time(&stat)?;
        let tasks = std::fs::read_dir(format!("/proc/{member}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            all.threads.extend(state(&stat).map(|state| Thread { state }));
        }
    }
    (!all.threads.is_empty()).then_some(all)
}

/// The fields of a `/proc/PID/stat` behind the name, which may hold anything.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split_ascii_whitespace()
}

fn state(stat: &str) -> Option<char> {
    fields(stat).next()?.chars().next()
}

/// User and system time, of the process and of children that it waited for.
fn cpu_time(stat: &str) -> Option<Duration> {
    let ticks: u64 = fields(stat).skip(11).take(4).filter_map(|f| f.parse::<u64>().ok()).sum();
    let per_second = rustix::param::clock_ticks_per_second();
    Some(Duration::from_millis(ticks * 1000 / per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_brackets_does_not_shift_the_fields() {
        let stat = "17 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 200 100 50 50 20 0";
        assert_eq!(state(stat), Some('S'));
        assert_eq!(cpu_time(stat), Some(Duration::from_secs(4)));
    }

    #[test]
    fn children_of_children_are_of_the_family() {
        let mut c = std::process::Command::new("sh");
        c.args(["-c", "sh -c 'echo; sleep 1000' & wait"]).stdout(std::process::Stdio::piped());
        let mut running = crate::host::process::spawn(&mut c).unwrap();
        let mut line = String::new();
        let out = running.child().stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
        let pid = Pid::from_child(running.child());
        let all = members(pid);
        assert!(all.len() >= 2 && all[0] == pid.as_raw_pid(), "{all:?}");
        assert!(look(pid).unwrap().threads.len() >= 2);
    }
}
