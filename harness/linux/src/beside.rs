//! Processes of a hypervisor's own, beside its guests.

use std::process::{Command, Stdio};

use crate::stress::KINDS;
use crate::{Context, Result, report};

/// So many at a time: more than one makes the kernel switch.
const COPIES: usize = 2;

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
