//! One QEMU, from start to end, with what it used.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::host::error::Context;
use crate::host::interrupt;
use crate::host::process;
use crate::{Error, Kind, Result};

/// Most lines of serial output that are looked at.
const LINES_MAX: usize = 20_000;
/// Most bytes of one line.
const LINE_MAX: u64 = 4096;
/// Between two looks at the clock.
const TICK: Duration = Duration::from_millis(50);

/// How long a process may live on that has closed its output.
const GRACE: Duration = Duration::from_secs(10);

/// What a process used until it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// From start to end, in seconds.
    pub wall: f64,
    /// Processor time of all its threads, user and system, in seconds.
    pub cpu: f64,
    /// Most memory that was resident at a time, in bytes.
    pub peak_rss: u64,
}

/// How a process ended, and what it printed.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its status; of one that was stopped, SIGKILL's.
    pub status: ExitStatus,
    /// What it used.
    pub usage: Usage,
    /// Its standard output: lines, each with the seconds since the start.
    pub lines: Vec<(f64, String)>,
    /// Its standard error.
    pub stderr: String,
}

/// Runs `command` until it ends or `until` says of a line of its standard output
/// that nothing more is needed; then it is killed.
///
/// # Errors
/// Harness, when it cannot be started, or does neither within `limit` of wall
/// time; Interrupted.
pub fn run(
    command: &mut Command,
    limit: Duration,
    mut until: impl FnMut(&str) -> bool,
) -> Result<Finished> {
    let doing = format!("running {}", process::show(command));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    let mut running = process::spawn_dying_by(command, Signal::KILL)
        .map_err(|e| process::not_started(command, e))?;
    let (send, receive) = mpsc::sync_channel(1024);
    let stdout = running.child().stdout.take();
    let reader = std::thread::spawn(move || {
        for line in stdout.into_iter().flat_map(lines) {
            if send.send((start.elapsed().as_secs_f64(), line)).is_err() {
                break;
            }
        }
    });
    let stderr = running.child().stderr.take();
    let stderr = std::thread::spawn(move || stderr.map_or_else(String::new, text));
    let mut seen = Vec::new();
    loop {
        match receive.recv_timeout(TICK) {
            Ok((at, line)) => {
                let enough = until(&line) || seen.len() == LINES_MAX;
                seen.push((at, line));
                if enough {
                    running.signal(Signal::KILL);
                    break;
                }
            }
            // The end of its output is the end of QEMU.
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        interrupt::check()?;
        if start.elapsed() > limit {
            let last = seen.last().map_or("nothing was printed", |(_, line)| line);
            return Err(Error::new(
                Kind::Harness,
                format!("{doing}: no end after {} s; the last line: {last}", limit.as_secs()),
            ));
        }
    }
    // Unblocks the reader before it is waited for.
    drop(receive);
    let wall = start.elapsed().as_secs_f64();
    let ended = running.end(GRACE).doing(Kind::Harness, || doing.clone())?;
    interrupt::check()?;
    let _ = reader.join();
    let stderr = stderr.join().unwrap_or_default();
    let cpu = (ended.rusage.utime + ended.rusage.stime).as_secs_f64();
    let usage = Usage { wall, cpu, peak_rss: ended.rusage.maxrss };
    Ok(Finished { status: ended.status, usage, lines: seen, stderr })
}

/// Lines of whatever bytes come, without their ends.
fn lines(pipe: impl Read) -> impl Iterator<Item = String> {
    let mut reader = BufReader::new(pipe);
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        match reader.by_ref().take(LINE_MAX).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(String::from_utf8_lossy(&line).trim_end().to_owned()),
        }
    })
}

fn text(pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = pipe.take(1 << 20).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut c = Command::new("sh");
        c.args(["-c", script]);
        c
    }

    #[test]
    fn a_process_that_ends_is_seen_with_its_lines_and_what_it_used() {
        let mut c =
            sh("echo one; echo two >&2; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 3");
        let ended = run(&mut c, Duration::from_secs(60), |_| false).unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert_eq!((ended.lines[0].1.as_str(), ended.stderr.trim()), ("one", "two"));
        assert!(ended.usage.cpu > 0.0 && ended.usage.wall > 0.0, "{:?}", ended.usage);
        assert!(ended.usage.peak_rss > 100_000, "{:?}", ended.usage);
    }

    #[test]
    fn a_line_can_end_it_and_what_comes_after_is_not_waited_for() {
        let ended =
            run(&mut sh("echo go; echo done; exec sleep 1000"), Duration::from_secs(60), |line| {
                line == "done"
            });
        assert_eq!(ended.unwrap().lines.len(), 2);
    }

    #[test]
    fn one_that_says_nothing_is_stopped_and_named() {
        let e =
            run(&mut sh("echo last words; exec sleep 1000"), Duration::from_millis(300), |_| false);
        let e = e.unwrap_err().to_string();
        assert!(e.contains("no end after") && e.contains("last words"), "{e}");
    }

    #[test]
    fn garbage_and_endless_lines_are_cut() {
        let long = run(
            &mut sh("head -c 10000 /dev/zero; printf '\\377\\n'"),
            Duration::from_secs(60),
            |_| false,
        );
        let lines = long.unwrap().lines;
        assert_eq!(lines.len(), 3);
        assert!(lines[2].1.ends_with('\u{fffd}'));
    }
}
