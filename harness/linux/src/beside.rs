//! Processes of a hypervisor's own, beside its guests.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::stress::KINDS;
use crate::{Context, Result, report};

/// So many at a time: more than one makes the kernel switch.
const COPIES: usize = 2;
/// Between two looks at a guest.
const TICK: Duration = Duration::from_millis(500);

/// What a guest last said of how it gets on, none before it does; or why it is gone.
/// See `load.rs` for the words.
pub(crate) type Progress<'a> = &'a dyn Fn() -> Result<Option<String>>;

/// Waits until the guest at `place` computes, puts processes under stress beside it,
/// and tells how both did. The host limits the time.
pub(crate) fn with_guest(place: &str, runs: &str, progress: Progress<'_>) -> Result<()> {
    let first = match reaches(1, progress) {
        Ok(said) => rounds(&said),
        Err(why) => {
            report::line(format_args!("seen {place}/starts 1 1 {why}"));
            return Ok(());
        }
    };
    report::line(format_args!("seen {place}/starts 1 0"));
    stress(place, runs)?;
    // One more round shows that it still computes.
    match reaches(first + 2, progress) {
        Ok(said) => {
            report::line(format_args!("seen {place}/lives 1 0"));
            let failures = said.split(' ').filter_map(|word| word.split_once('='));
            for (what, failures) in failures {
                let runs = rounds(&said);
                report::line(format_args!("seen {place}/guest-{what} {runs} {failures}"));
            }
        }
        Err(why) => report::line(format_args!("seen {place}/lives 1 1 {why}")),
    }
    Ok(())
}

/// What the guest says once it has done so many rounds.
fn reaches(wanted: u64, progress: Progress<'_>) -> Result<String> {
    loop {
        match progress()? {
            Some(said) if rounds(&said) >= wanted => return Ok(said),
            _ => std::thread::sleep(TICK),
        }
    }
}

/// How many rounds a guest tells of.
fn rounds(said: &str) -> u64 {
    said.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Puts processes under stress, and tells each kind's failures.
pub(crate) fn stress(place: &str, rounds: &str) -> Result<()> {
    let copies = (0..COPIES).map(|_| {
        let mut command = Command::new("/init");
        command.env("role", "stress").env("rounds", rounds).stdin(Stdio::null());
        command.stdout(Stdio::piped()).spawn().doing("starting a process")
    });
    let copies = copies.collect::<Result<Vec<_>>>()?;
    let (mut runs, mut failures) = ([0_u64; KINDS.len()], [0_u64; KINDS.len()]);
    let mut ended = Vec::new();
    for copy in copies {
        let output = copy.wait_with_output().doing("waiting for a process")?;
        if !output.status.success() {
            ended.push(output.status.to_string());
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let mut words = line.split(' ');
            let at = words.next().and_then(|name| KINDS.iter().position(|k| k.name == name));
            let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
            if let (Some(at), Some(ran), Some(failed)) = (at, number(), number()) {
                runs[at] += ran;
                failures[at] += failed;
            }
        }
    }
    for (at, kind) in KINDS.iter().enumerate() {
        let (name, runs, failures) = (kind.name, runs[at], failures[at]);
        report::line(format_args!("seen {place}/own-{name} {runs} {failures}"));
    }
    let died = ended.len();
    report::line(format_args!("seen {place}/own-processes {COPIES} {died} {}", ended.join(", ")));
    Ok(())
}
