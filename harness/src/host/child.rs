//! One supervised process, with bounds on its time and on what it prints.
//!
//! The kernel kills it when the thread that started it dies
//! (`PR_SET_PDEATHSIG`); that thread is always the one that waits for it here,
//! so no QEMU outlives the harness, not even after `kill -9`.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal};

use super::serial::Bounded;
use crate::host::error::Context;
use crate::host::family;
use crate::host::interrupt;
use crate::host::process;
use crate::{Error, Kind, Result};

/// How far waiting for a core can stretch a time limit.
const STRETCH: u32 = 4;
/// How often a waiting thread looks whether it should stop.
const TICK: Duration = Duration::from_millis(100);

/// What to start.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    /// The program.
    pub program: &'a Path,
    /// Its arguments.
    pub args: &'a [OsString],
    /// When it is killed. Time that it spends waiting for a core does not
    /// count, so that a busy machine makes no timeouts.
    pub timeout: Duration,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this status.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// Killed by the harness: its time was up.
    TimedOut,
    /// Killed by the harness: it printed without end.
    Flooded,
}

/// A process that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How.
    pub end: End,
    /// Standard output; for QEMU, the guest's serial port.
    pub stdout: Bounded,
    /// Standard error; QEMU's own messages.
    pub stderr: Bounded,
    /// How long it ran.
    pub elapsed: Duration,
}

/// Runs a process to its end, in the calling thread.
///
/// # Errors
/// When it cannot be started, when the user interrupts, or on I/O errors; the
/// process is dead then.
pub fn run(launch: &Launch<'_>) -> Result<Ended> {
    watched(launch, &mut |_| Ok(false))
}

/// What is done with the next bytes of a standard output: whether the time limit
/// begins anew with them.
pub type News<'a> = &'a mut dyn FnMut(&[u8]) -> Result<bool>;

/// [`run`], and `news` gets the standard output as it comes, all of it.
///
/// # Errors
/// As [`run`], and what `news` gives.
pub fn watched(launch: &Launch<'_>, news: News<'_>) -> Result<Ended> {
    interrupt::check()?;
    let start = Instant::now();
    // From when on time counts, and what had been lost by then for want of a core.
    let (mut since, mut starved) = (start, Duration::ZERO);
    let mut running = Supervised::start(launch)?;
    let killed = loop {
        interrupt::check()?;
        if running.stdout.kept.flooded() || running.stderr.kept.flooded() {
            break Some(End::Flooded);
        }
        if running.told(news)? {
            (since, starved) = (Instant::now(), running.starved());
        }
        let over = since.elapsed().saturating_sub(launch.timeout);
        let mut lost =
            || running.starved().saturating_sub(starved).min(launch.timeout * (STRETCH - 1));
        if !over.is_zero() && over > lost() {
            break Some(End::TimedOut);
        }
        if running.wait_for_news(TICK)? {
            break None;
        }
    };
    let status = running.finish()?;
    running.told(news)?;
    // The interrupt's own SIGTERM says nothing about the binary.
    interrupt::check()?;
    let end = killed.unwrap_or(match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, signal) => End::Signalled(signal.unwrap_or(0)),
    });
    let (stdout, stderr) = (running.stdout.kept, running.stderr.kept);
    Ok(Ended { end, stdout, stderr, elapsed: start.elapsed() })
}

/// The standard output of a program that answers at once, such as
/// `qemu --version`.
///
/// # Errors
/// Usage, when it cannot be started or does not exit with 0 within 30 s.
pub fn ask(program: &Path, args: &[&str]) -> Result<String> {
    let args_os: Vec<OsString> = args.iter().map(OsString::from).collect();
    let ended = run(&Launch { program, args: &args_os, timeout: Duration::from_secs(30) })?;
    if ended.end == End::Exited(0) {
        return Ok(ended.stdout.text());
    }
    let stderr = ended.stderr.text();
    let why = stderr.lines().next().unwrap_or("no message");
    let asked = format!("running `{} {}`", program.display(), args.join(" "));
    let how = match ended.end {
        End::Exited(status) => format!("exit status {status}: {why}"),
        End::Signalled(signal) => format!("signal {signal}: {why}"),
        End::TimedOut => "no answer in 30 s".to_owned(),
        End::Flooded => "it prints without end".to_owned(),
    };
    Err(Error::new(Kind::Usage, format!("{asked}: {how}")))
}

/// One end of a pipe, and what came through it.
struct Pipe {
    fd: Option<OwnedFd>,
    kept: Bounded,
    /// What nobody has been told of yet.
    fresh: Vec<u8>,
}

impl Pipe {
    fn new(fd: impl Into<OwnedFd>) -> Result<Self> {
        let fd = fd.into();
        rustix::io::ioctl_fionbio(&fd, true).doing(Kind::Harness, || "opening a pipe".into())?;
        Ok(Pipe { fd: Some(fd), kept: Bounded::default(), fresh: Vec::new() })
    }

    /// Takes in one block. False when there is nothing to read now.
    fn read(&mut self) -> Result<bool> {
        let Some(fd) = &self.fd else { return Ok(false) };
        let mut block = [0; 64 << 10];
        match rustix::io::read(fd, &mut block) {
            Ok(0) => self.fd = None,
            Ok(n) => {
                self.kept.push(&block[..n]);
                self.fresh.extend_from_slice(&block[..n]);
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(false),
            Err(e) => return Err(Error::new(Kind::Harness, "reading from QEMU").because(e)),
        }
        Ok(true)
    }

    fn drain(&mut self) -> Result<()> {
        while !self.kept.flooded() && self.read()? {}
        Ok(())
    }
}

struct Supervised {
    running: process::Running,
    pidfd: OwnedFd,
    stdout: Pipe,
    stderr: Pipe,
}

impl Supervised {
    fn start(launch: &Launch<'_>) -> Result<Self> {
        let doing = || format!("starting {}", launch.program.display());
        let mut command = Command::new(launch.program);
        command.args(launch.args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let spawned = process::spawn_dying_by(&mut command, Signal::KILL);
        let mut running = spawned.doing(Kind::Usage, doing)?;
        let child = running.child();
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(Error::new(Kind::Harness, format!("{}: no pipes", doing())));
        };
        let pidfd = rustix::process::pidfd_open(Pid::from_child(child), PidfdFlags::empty())
            .doing(Kind::Harness, doing)?;
        Ok(Supervised { running, pidfd, stdout: Pipe::new(stdout)?, stderr: Pipe::new(stderr)? })
    }

    /// How long the thread that waited most was ready to run and had no core.
    fn starved(&mut self) -> Duration {
        let family = family::members(Pid::from_child(self.running.child()));
        let tasks = family.iter().filter_map(|p| std::fs::read_dir(format!("/proc/{p}/task")).ok());
        let delay = |task: std::io::Result<std::fs::DirEntry>| -> Option<u64> {
            let stat = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            stat.split_whitespace().nth(1)?.parse().ok()
        };
        let delays = tasks.flatten().filter_map(delay);
        Duration::from_nanos(delays.max().unwrap_or(0))
    }

    /// Tells what has come on standard output since the last time, if anything has.
    fn told(&mut self, news: News<'_>) -> Result<bool> {
        self.stderr.fresh.clear();
        let fresh = std::mem::take(&mut self.stdout.fresh);
        if fresh.is_empty() { Ok(false) } else { news(&fresh) }
    }

    /// Waits for output or for the end; true at the end.
    fn wait_for_news(&mut self, at_most: Duration) -> Result<bool> {
        let mut fds = vec![PollFd::from_borrowed_fd(self.pidfd.as_fd(), PollFlags::IN)];
        for pipe in [&self.stdout, &self.stderr] {
            if let Some(fd) = &pipe.fd {
                fds.push(PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN));
            }
        }
        let limit = Timespec {
            tv_sec: at_most.as_secs().cast_signed(),
            tv_nsec: at_most.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(Error::new(Kind::Harness, "waiting for QEMU").because(e)),
        }
        let ended = fds[0].revents().contains(PollFlags::IN);
        self.stdout.read()?;
        self.stderr.read()?;
        Ok(ended)
    }

    /// Kills what is left of the group, and takes in what is still in the
    /// pipes: it was written before the end.
    fn finish(&mut self) -> Result<ExitStatus> {
        // The leader has not been waited for yet, so its id is still its own.
        self.running.signal(Signal::KILL);
        let status = self.running.wait().doing(Kind::Harness, || "waiting for QEMU".into())?;
        self.stdout.drain()?;
        self.stderr.drain()?;
        Ok(status)
    }
}
