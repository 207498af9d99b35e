//! What a confined program prints, as a whole.

use std::io::Read;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal};

use super::{Guard, Room};
use crate::host::error::Context;
use crate::host::{interrupt, process, visible};
use crate::{Error, Kind, Result};

/// Bytes of its standard output; what prints more is killed.
const MOST: u64 = 64 << 20;
/// Bytes that are looked at of what it complains of.
const WORDS: u64 = 64 << 10;

/// The standard output of `command`, which must succeed within the limits of
/// `room`. It must die with all that it started, as bubblewrap does.
///
/// # Errors
/// Build, with what it complained of: who runs in a sandbox is to blame himself.
/// Harness, when it cannot be started; Interrupted.
pub fn stdout(command: &mut Command, stdin: Stdio, room: &Room) -> Result<String> {
    let doing = format!("running {}", process::show(command));
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = process::spawn_dying_by(command, Signal::KILL)
        .map_err(|e| process::not_started(command, e))?;
    let pid = Pid::from_child(running.child());
    let guard = Guard::over(pid, room.limits, room.written());
    let stderr = running.child().stderr.take();
    let words = std::thread::spawn(move || {
        let mut words = Vec::new();
        if let Some(mut pipe) = stderr {
            let _ = pipe.by_ref().take(WORDS).read_to_end(&mut words);
            // The rest is nobody's, but a full pipe would stop it.
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        words
    });
    let mut printed = Vec::new();
    if let Some(pipe) = running.child().stdout.take() {
        let _ = pipe.take(MOST + 1).read_to_end(&mut printed);
    }
    let flooded = printed.len() as u64 > MOST;
    if flooded {
        running.signal(Signal::KILL);
    }
    let status = running.wait().doing(Kind::Harness, || doing.clone())?;
    let exceeded = guard.verdict();
    interrupt::check()?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&printed).into_owned());
    }
    let words = words.join().unwrap_or_default();
    let words = String::from_utf8_lossy(&words);
    let last = words.lines().rfind(|l| !l.trim().is_empty()).map(visible::line);
    let why = match exceeded {
        Some(exceeded) => exceeded.to_string(),
        None if flooded => format!("killed: it printed more than {} MiB", MOST >> 20),
        None => last.unwrap_or_else(|| status.to_string()),
    };
    Err(Error::new(Kind::Build, format!("{doing}: {why}")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::host::sandbox::Limits;

    fn said(script: &str, limits: Limits) -> Result<String> {
        let room = Room { limits, ..Room::default() };
        stdout(Command::new("sh").args(["-c", script]), Stdio::null(), &room)
    }

    #[test]
    fn what_is_printed_is_whole_and_what_goes_wrong_is_said() {
        assert_eq!(said("echo a; echo b >&2", Limits::QUESTION).unwrap(), "a\n");
        let why = |script, limits| {
            let e = said(script, limits).unwrap_err();
            assert_eq!(e.kind(), Kind::Build, "{e}");
            e.to_string()
        };
        let e = why("printf 'no\\033[2J\\n' >&2; exit 3", Limits::QUESTION);
        assert!(e.contains(": no\u{fffd}[2J"), "{e}");
        let e = why("exec cat /dev/zero", Limits::QUESTION);
        assert!(e.contains("printed more than 64 MiB"), "{e}");
        let short = Limits { time: Duration::from_secs(1), ..Limits::QUESTION };
        let e = why("exec sleep 500", short);
        assert!(e.contains("no end after 1 s"), "{e}");
    }
}
