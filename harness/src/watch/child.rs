//! A QEMU of our own, to be watched from its first instruction on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::host::error::Context;
use crate::host::interrupt;
use crate::host::process::{self, Running};
use crate::{Error, Kind, Result};

/// A QEMU that has no monitor by then has none.
const PATIENCE: Duration = Duration::from_secs(30);
/// Lines of what it prints that are shown.
const LAST: usize = 10;
/// How long it has to end.
const GRACE: Duration = Duration::from_secs(5);

/// A QEMU that we have started; dropped, it is ended.
#[derive(Debug)]
pub struct Child {
    running: Running,
    dir: TempDir,
    /// The user has it wait.
    pub waits: bool,
}

/// Its command line: the user's, a monitor for us, stamps in the log, and nothing runs yet.
fn arguments(given: &[String], socket: &Path) -> Vec<String> {
    let mut all = given[1..].to_vec();
    all.push("-qmp".into());
    all.push(format!("unix:{},server=on,wait=off", socket.display()));
    all.extend(["-msg", "timestamp=on", "-S"].map(String::from));
    all
}

impl Child {
    /// Starts it: a program and its arguments. What it prints is kept for the end.
    ///
    /// # Errors
    /// Usage, when it cannot be started, or ends before it has a monitor; Interrupted.
    pub fn start(given: &[String]) -> Result<Child> {
        let doing = || "making a folder for a monitor".to_owned();
        let dir = tempfile::tempdir().doing(Kind::Harness, doing)?;
        let program = given.first().ok_or_else(|| Error::new(Kind::Usage, "which QEMU?"))?;
        let socket = dir.path().join("qmp");
        let mut command = Command::new(program);
        command.args(arguments(given, &socket)).stdin(Stdio::null());
        let said = std::fs::File::create(dir.path().join("said")).doing(Kind::Harness, doing)?;
        command.stderr(said.try_clone().doing(Kind::Harness, doing)?).stdout(said);
        let started = process::spawn(&mut command);
        let running = started.doing(Kind::Usage, || format!("starting {program}"))?;
        let waits = given.iter().any(|word| word == "-S" || word == "--S");
        let mut child = Child { running, dir, waits };
        child.wait_for(&socket)?;
        Ok(child)
    }

    fn wait_for(&mut self, socket: &Path) -> Result<()> {
        let begun = Instant::now();
        loop {
            // It is there a moment before one can connect to it.
            if std::os::unix::net::UnixStream::connect(socket).is_ok() {
                return Ok(());
            }
            interrupt::check()?;
            let ended = self.running.wait_within(Duration::from_millis(20));
            let ended = ended.doing(Kind::Harness, || "waiting for QEMU".into())?;
            if ended.is_none() && begun.elapsed() < PATIENCE {
                continue;
            }
            let what = match ended {
                Some(status) => format!("QEMU ended ({status}) before it ran anything"),
                None => format!("QEMU has no monitor after {} s", PATIENCE.as_secs()),
            };
            return Err(self.with_its_words(Error::new(Kind::Usage, what)));
        }
    }

    /// Where its monitor is.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("qmp")
    }

    /// The last lines of what it has printed.
    pub fn said(&self) -> String {
        let said = std::fs::read(self.dir.path().join("said")).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(LAST)..].join("\n")
    }

    /// `e`, or that QEMU has ended meanwhile, which is why; with its words.
    pub fn why(&mut self, e: Error) -> Error {
        let moment = Duration::from_millis(500);
        match self.running.wait_within(moment) {
            Ok(Some(status)) if e.kind() != Kind::Interrupted => {
                let what = format!("QEMU ended ({status}) before it ran anything");
                self.with_its_words(Error::new(Kind::Usage, what))
            }
            _ => e,
        }
    }

    fn with_its_words(&self, e: Error) -> Error {
        match self.said() {
            said if said.trim().is_empty() => e,
            said => e.hint(said),
        }
    }

    /// Ends it, if it runs.
    pub fn end(&mut self) {
        if self.running.wait_within(Duration::ZERO).is_ok_and(|ended| ended.is_none()) {
            self.running.signal(Signal::TERM);
            let _ = self.running.wait_within(GRACE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_command_is_the_users_and_ours() {
        let all = arguments(&words("qemu -m 64M -nographic"), Path::new("/s"));
        let ours = "-m 64M -nographic -qmp unix:/s,server=on,wait=off -msg timestamp=on -S";
        assert_eq!(all.join(" "), ours);
    }

    #[test]
    fn one_that_does_not_start_is_said_with_its_words() {
        let e = Child::start(&words("/nowhere/qemu")).unwrap_err();
        assert!(e.kind() == Kind::Usage && e.to_string().contains("/nowhere/qemu"), "{e}");
        let script = ["sh", "-c", "echo no such device >&2; exit 1"].map(String::from);
        let e = Child::start(&script).unwrap_err().to_string();
        assert!(e.contains("before it ran anything") && e.contains("no such device"), "{e}");
        assert_eq!(Child::start(&[]).unwrap_err().kind(), Kind::Usage);
    }
}
