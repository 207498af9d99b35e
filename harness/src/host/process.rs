//! Children in process groups of their own, none of which outlives us.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use wait4::Wait4;
use xshell::Shell;

use crate::host::cache::{Lock, NO_SPACE};
use crate::host::error::Context;
use crate::host::interrupt;
use crate::host::sanitizer;
use crate::{Error, Kind, Result};

/// The groups that are running now.
static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// A child that leads a process group; dropped, the whole group is killed.
#[derive(Debug)]
pub struct Running {
    child: Child,
    group: Pid,
}

/// Starts `command` in a process group of its own, with no stdin unless the
/// caller gave it one. If we die in any way, kill -9 included, the child gets
/// SIGTERM.
///
/// # Errors
/// Whatever starting it gave.
pub fn spawn(command: &mut Command) -> io::Result<Running> {
    spawn_dying_by(command, Signal::TERM)
}

/// Like [`spawn`], with another signal than SIGTERM should we die: a QEMU that
/// hangs heeds nothing but SIGKILL.
///
/// # Errors
/// Whatever starting it gave.
pub fn spawn_dying_by(command: &mut Command, signal: Signal) -> io::Result<Running> {
    command.process_group(0);
    dying_by(command, signal);
    let child = command.spawn()?;
    let group = Pid::from_child(&child);
    groups().insert(group.as_raw_pid());
    let running = Running { child, group };
    // A signal between the caller's last check and the line above.
    if interrupt::requested() {
        running.signal(Signal::TERM);
    }
    Ok(running)
}

/// Starts `command` in our own process group, to be waited for by a process that
/// does nothing else. If we die in any way, the child gets SIGKILL.
///
/// # Errors
/// Whatever starting it gave.
pub fn spawn_within(command: &mut Command) -> io::Result<Child> {
    dying_by(command, Signal::KILL);
    command.spawn()
}

/// Has the child get `signal` when we die, and end at once should a sanitizer
/// object to it.
fn dying_by(command: &mut Command, signal: Signal) {
    sanitizer::configure(command);
    let parent = rustix::process::getpid();
    // SAFETY: between fork and exec, only two system calls are made.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(signal))?;
            if rustix::process::getppid() != Some(parent) {
                return Err(io::Error::other("the parent is gone"));
            }
            Ok(())
        });
    }
}

/// Like [`spawn`], and the child and all its descendants hold `lock` too, so
/// that after a kill -9 the next run waits until the last of them is gone.
///
/// # Errors
/// Whatever starting it gave.
pub fn spawn_holding(command: &mut Command, lock: &Lock) -> io::Result<Running> {
    let fd = lock.file().as_raw_fd();
    // SAFETY: one system call; the descriptor is open, since `lock` is borrowed
    // until after the fork.
    unsafe {
        command.pre_exec(move || {
            let fd = BorrowedFd::borrow_raw(fd);
            Ok(rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?)
        });
    }
    spawn(command)
}

impl Running {
    /// The child, for its pipes and its id.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// Whatever waiting gave.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    /// Waits until it ends or `limit` is over, then with `None`.
    ///
    /// # Errors
    /// Whatever waiting gave.
    pub fn wait_within(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let end = Instant::now() + limit;
        loop {
            let status = self.child.try_wait()?;
            if status.is_some() || Instant::now() >= end {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it ends, and says what it used; after `limit` it is killed.
    ///
    /// # Errors
    /// Whatever waiting gave.
    pub fn end(&mut self, limit: Duration) -> io::Result<wait4::ResUse> {
        let pidfd = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty())?;
        let seconds = limit.as_secs().cast_signed();
        let limit = Timespec { tv_sec: seconds, tv_nsec: limit.subsec_nanos().into() };
        let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
        if !poll(&mut fds, Some(&limit)).is_ok_and(|ready| ready > 0) {
            self.signal(Signal::KILL);
        }
        self.child.wait4()
    }

    /// Sends `signal` to the whole group.
    pub fn signal(&self, signal: Signal) {
        // The group may be gone already; that is what was wanted.
        let _ = rustix::process::kill_process_group(self.group, signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
        groups().remove(&self.group.as_raw_pid());
    }
}

/// Sends `signal` to every running group.
pub fn signal_all(signal: Signal) {
    for group in groups().iter().filter_map(|&g| Pid::from_raw(g)) {
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

/// What `xshell::cmd!` writes commands with, in the current folder; `.into()` makes each a
/// [`Command`], which the functions here run: in a group of its own, stopped by an interrupt.
///
/// # Errors
/// Harness, when the current folder is gone.
pub fn shell() -> Result<Shell> {
    Shell::new().doing(Kind::Harness, || "finding the current folder".into())
}

/// Runs `command` to its end and keeps what it printed.
///
/// # Errors
/// Harness, when it cannot be started; Interrupted.
pub fn output(command: &mut Command) -> Result<Output> {
    output_of(command, Stdio::null(), None)
}

/// [`output`] of a child that is killed after `limit`.
///
/// # Errors
/// As [`output`], and Setup when the time is up.
pub fn output_within(command: &mut Command, limit: Duration) -> Result<Output> {
    output_of(command, Stdio::null(), Some(limit))
}

fn output_of(command: &mut Command, stdin: Stdio, limit: Option<Duration>) -> Result<Output> {
    let doing = format!("running {}", show(command));
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = spawn(command).map_err(|e| not_started(command, e))?;
    let stdout = running.child.stdout.take().map(read_all);
    let stderr = running.child.stderr.take().map(read_all);
    let status = match limit {
        None => running.wait().map(Some),
        Some(limit) => running.wait_within(limit),
    };
    let status = status.doing(Kind::Harness, || doing.clone())?;
    interrupt::check()?;
    let Some(status) = status else {
        let limit = limit.unwrap_or_default().as_secs();
        return Err(Error::new(Kind::Setup, format!("{doing}: no end after {limit} s")));
    };
    let collect = |reader: Option<JoinHandle<Vec<u8>>>| {
        reader.and_then(|t| t.join().ok()).unwrap_or_default()
    };
    Ok(Output { status, stdout: collect(stdout), stderr: collect(stderr) })
}

/// Reads a pipe to its end beside the other one.
fn read_all(mut pipe: impl io::Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut buf = Vec::new();
        // What came before a failed read is still worth showing.
        let _ = pipe.read_to_end(&mut buf);
        buf
    })
}

/// The error for a `command` that could not be started.
pub fn not_started(command: &Command, e: io::Error) -> Error {
    let program = command.get_program().display();
    let error = Error::new(Kind::Harness, format!("running {}", show(command)));
    match e.kind() {
        io::ErrorKind::NotFound => Error::new(Kind::Setup, format!("{program} was not found"))
            .because(e)
            .hint("`cargo xtask doctor` lists what is needed"),
        _ => error.because(e),
    }
}

/// Runs `command`, which must succeed, and returns its stdout without the
/// final newline.
///
/// # Errors
/// `kind`, with the last lines of its stderr, when it fails.
pub fn stdout(kind: Kind, command: &mut Command) -> Result<String> {
    stdout_from(kind, command, Stdio::null())
}

/// [`stdout`] of a command that reads `stdin`.
///
/// # Errors
/// As [`stdout`].
pub fn stdout_from(kind: Kind, command: &mut Command, stdin: Stdio) -> Result<String> {
    let out = output_of(command, stdin, None)?;
    if !out.status.success() {
        return Err(failed(kind, command, &out));
    }
    Ok(String::from_utf8_lossy(&out.stdout).trim_end().to_string())
}

/// The error for a `command` that ended with `out`.
pub fn failed(kind: Kind, command: &Command, out: &Output) -> Error {
    let text = String::from_utf8_lossy(&out.stderr);
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    let tail = lines[lines.len().saturating_sub(5)..].join("\n  ");
    let message = format!("{} failed ({})\n  {tail}", asked(command), out.status);
    if text.contains("No space left on device") {
        return Error::new(Kind::Harness, message).hint(NO_SPACE);
    }
    Error::new(kind, message)
}

/// [`show`], without the settings that we give git each time.
fn asked(command: &Command) -> String {
    let mut words: Vec<&OsStr> = vec![command.get_program()];
    let mut rest = command.get_args().peekable();
    while words == ["git"] && rest.next_if(|word| *word == "-c").is_some() {
        rest.next();
    }
    words.extend(rest);
    words.into_iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// The command as one would type it.
pub fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(quote).collect::<Vec<_>>().join(" ")
}

/// `word`, in single quotes when the shell would take it apart.
pub fn quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_=+:,./@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn groups() -> std::sync::MutexGuard<'static, BTreeSet<i32>> {
    GROUPS.lock().unwrap_or_else(|e| e.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_command_can_be_pasted_into_a_shell() {
        let mut c = Command::new("git");
        c.args(["commit", "-m", "it's done", "--author=a b <c>"]);
        assert_eq!(show(&c), r"git commit -m 'it'\''s done' '--author=a b <c>'");
    }

    #[test]
    fn a_git_that_failed_is_shown_without_what_we_always_tell_it() {
        let mut c = Command::new("git");
        c.args(["-c", "a.b=c", "-c", "d.e=f", "log", "-c", "x..y"]);
        let out =
            output(Command::new("sh").args(["-c", "echo no such range >&2; exit 128"])).unwrap();
        let said = failed(Kind::Usage, &c, &out).to_string();
        assert_eq!(said, "git log -c x..y failed (exit status: 128)\n  no such range");
    }

    #[test]
    fn a_failure_shows_the_end_of_stderr_and_the_status() {
        let mut c = Command::new("sh");
        c.args(["-c", "for i in 1 2 3 4 5 6 7; do echo line$i >&2; done; exit 3"]);
        let e = stdout(Kind::Build, &mut c).unwrap_err().to_string();
        assert!(e.contains("exit status: 3") && e.contains("line7"), "{e}");
        assert!(!e.contains("line2"), "{e}");
    }

    #[test]
    fn dropping_a_child_kills_its_whole_group() {
        let mut c = Command::new("sh");
        c.args(["-c", "sleep 1000 & echo $!; wait"]).stdout(Stdio::piped());
        let mut running = spawn(&mut c).unwrap();
        let mut line = String::new();
        let out = running.child().stdout.take().unwrap();
        io::BufRead::read_line(&mut io::BufReader::new(out), &mut line).unwrap();
        drop(running);
        let sleeper = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        // The signal is on its way; a zombie waits for init to collect it.
        let stat = format!("/proc/{}/stat", sleeper.as_raw_pid());
        let alive = || std::fs::read_to_string(&stat).is_ok_and(|s| !s.contains(") Z "));
        let end = Instant::now() + Duration::from_secs(60);
        while alive() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!alive());
    }
}
