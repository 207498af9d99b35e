//! One QEMU with the hostile guest in it, from its start to its end.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::json;

use super::beside::{self, Beside, Hand};
use super::ended::{self, What};
use super::mode::Mode;
use super::protocol::{BINS, EXITS, HEADER, LIST, LIST_MAX, header, state};
use super::world::{self, RAM_SIZE, Range};
use crate::exec::guest::Guest;
use crate::exec::ram::{self, Ram};
use crate::host::error::Context;
use crate::host::process::{self, Running};
use crate::host::{family, interrupt};
use crate::qemu::Qemu;
use crate::qemu::qmp::Qmp;
use crate::suites::migration::gdb::Gdb;
use crate::{Kind, Result};

/// Between two looks at the guest.
const TICK: Duration = Duration::from_millis(10);
/// Resets in a row before the guest is given up: something that it stands on is spoilt for good.
const REVIVALS: u32 = 3;
/// Attempts behind a reset that show that it is not.
const RECOVERED: u64 = 16;
/// Single steps in a row.
const STEPS: u64 = 40;

/// One way to start it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine<'a> {
    pub(super) qemu: &'a Qemu,
    pub(super) guest: &'a Guest,
    pub(super) mode: Mode,
    /// Whether there is a second processor.
    pub(super) second: bool,
    pub(super) beside: Beside,
    /// How long a request may have no answer.
    pub(super) patience: Duration,
    /// Whether SIGTERM ends it before it is through.
    pub(super) term: bool,
}

/// What came of one start.
#[derive(Clone, Debug, Default)]
pub(super) struct Came {
    /// The number of the attempt that it ended in, or behind the last one.
    pub(super) next: u64,
    pub(super) counts: Counts,
    /// What is wrong with QEMU.
    pub(super) what: Option<What>,
    /// Commands at the monitor and single steps.
    pub(super) deeds: u64,
    /// Resets by us, of a guest that went round in circles or slept for ever.
    pub(super) revivals: u64,
}

impl Came {
    /// Whether a replay of the recording is to come to the same. QEMU records what comes to the
    /// guest, and not what is done at its monitor: a reset by us is not in the recording, where a
    /// replay waits for it in vain.
    fn can_be_replayed(&self, range: &Range) -> bool {
        self.what.is_none() && self.revivals == 0 && self.next >= range.first + range.count
    }
}

/// What the guest has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) vmruns: u64,
    pub(super) resets: u64,
    pub(super) faults: u64,
    pub(super) events: u64,
}

/// The files of a start.
struct Files {
    folder: tempfile::TempDir,
    stderr: File,
}

/// How a recording is made or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recording<'a> {
    None,
    Record(&'a Path),
    Replay(&'a Path),
}

impl Machine<'_> {
    /// Makes those attempts; none counts twice.
    ///
    /// # Errors
    /// Harness, when QEMU cannot be started or was killed from outside; Interrupted.
    pub(super) fn run(&self, range: &Range) -> Result<Came> {
        let ram = self.ram(range)?;
        if self.mode != Mode::Replay {
            return self.boot(range, &ram, Recording::None);
        }
        let folder = tempfile::tempdir().doing(Kind::Harness, || "making a folder".into())?;
        let file = folder.path().join("recording");
        let came = self.boot(range, &ram, Recording::Record(&file))?;
        if !came.can_be_replayed(range) {
            return Ok(came);
        }
        let again = self.ram(range)?;
        let replayed = self.boot(range, &again, Recording::Replay(&file))?;
        let same = (replayed.next, replayed.counts) == (came.next, came.counts)
            && again.read(EXITS, BINS as usize * 8)? == ram.read(EXITS, BINS as usize * 8)?;
        let what = replayed.what.or_else(|| {
            let (was, is) = (came.counts, replayed.counts);
            (!same).then(|| What::Diverged(format!("recorded {was:?}, replayed {is:?}")))
        });
        Ok(Came { what, ..came })
    }

    /// What the one attempt of `range` changes: number, place, bytes, value.
    ///
    /// # Errors
    /// As [`Machine::run`].
    pub(super) fn changes(&self, range: &Range) -> Result<Vec<[u64; 4]>> {
        let ram = self.ram(range)?;
        self.boot(range, &ram, Recording::None)?;
        let count = ram.u64(LIST)?.min(LIST_MAX);
        let word = |n: u64, i: u64| ram.u64(LIST + 8 + n * 32 + i * 8);
        (0..count).map(|n| Ok([word(n, 0)?, word(n, 1)?, word(n, 2)?, word(n, 3)?])).collect()
    }

    fn ram(&self, range: &Range) -> Result<Ram> {
        let ram = Ram::new(RAM_SIZE, &ram::folders())?;
        for (at, bytes) in world::memory(range, self.second).iter().chain(&self.guest.segments) {
            ram.write(*at, bytes)?;
        }
        Ok(ram)
    }

    /// QEMU's command line, without its monitor.
    fn command(&self, ram: &Ram, recording: Recording<'_>) -> Command {
        let mut command = Command::new(&self.qemu.path);
        for folder in &self.qemu.firmware {
            command.arg("-L").arg(folder);
        }
        let size = ram.size();
        command
            .args(["-nodefaults", "-no-user-config", "-display", "none"])
            .args(["-machine", "pc,memory-backend=ram", "-cpu", "max,+svm"])
            .args(["-m", &format!("{}M", size >> 20), "-object"])
            .arg(format!("memory-backend-file,id=ram,size={size},mem-path={},share=on", ram.path()))
            .args(["-global", "migration.x-events=on"])
            .args(["-global", "apic-common.vapic=off", "-bios"])
            .arg(&self.guest.rom)
            .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"])
            .args(["-smp", if self.second { "2" } else { "1" }])
            .args(self.mode.arguments());
        match recording {
            Recording::None => &mut command,
            Recording::Record(file) => {
                command.arg("-icount").arg(format!("shift=2,rr=record,rrfile={}", file.display()))
            }
            Recording::Replay(file) => {
                command.arg("-icount").arg(format!("shift=2,rr=replay,rrfile={}", file.display()))
            }
        };
        command
    }

    fn boot(&self, range: &Range, ram: &Ram, recording: Recording<'_>) -> Result<Came> {
        let mut command = self.command(ram, recording);
        let name = process::show(&command);
        let doing = || format!("starting {name}");
        let folder = tempfile::tempdir().doing(Kind::Harness, doing)?;
        let stderr = tempfile::tempfile().doing(Kind::Harness, doing)?;
        let (monitor, theirs) = UnixStream::pair().doing(Kind::Harness, doing)?;
        command
            .args(["-qmp", "stdio"])
            .stdin(OwnedFd::from(theirs.try_clone().doing(Kind::Harness, doing)?))
            .stdout(OwnedFd::from(theirs))
            .stderr(stderr.try_clone().doing(Kind::Harness, doing)?);
        let socket = folder.path().join("gdb");
        if self.beside == Beside::Gdb {
            command.arg("-gdb").arg(format!("unix:{},server=on,wait=off", socket.display()));
        }
        let mut running = process::spawn_dying_by(&mut command, Signal::KILL)
            .map_err(|e| process::not_started(&command, e))?;
        drop(command);
        let qmp = Qmp::over(monitor, self.patience);
        let gdb = match self.beside {
            // It stops the guest.
            Beside::Gdb => Gdb::connect(&socket, self.patience).and_then(Gdb::going).ok(),
            _ => None,
        };
        let files = Files { folder, stderr };
        let mut watch = Watch {
            machine: self,
            range,
            ram,
            came: Came { next: range.first, ..Came::default() },
            hand: Hand::new(range.seed ^ range.first),
            replaying: matches!(recording, Recording::Replay(_)),
        };
        let status = match qmp {
            Ok(mut qmp) => watch.until_end(&mut running, &mut qmp, gdb, &files)?,
            Err(e) => watch.no_answer(&mut running, format!("the monitor's greeting: {e}"))?,
        };
        watch.finish(&mut running, status, files.stderr)
    }
}

/// A guest being watched.
struct Watch<'a> {
    machine: &'a Machine<'a>,
    range: &'a Range,
    ram: &'a Ram,
    came: Came,
    hand: Hand,
    replaying: bool,
}

impl Watch<'_> {
    /// Reads what the guest has counted; what L2 has written there is left alone. Whether there
    /// is progress.
    fn look(&mut self) -> Result<bool> {
        let word = |n: u64| self.ram.u64(HEADER + n * 8);
        let checked = |n: u64| -> Result<Option<u64>> {
            let (value, check) = (word(n)?, word(n + 1)?);
            Ok((value == !check).then_some(value))
        };
        let end = self.range.first + self.range.count;
        let (now, vmruns) = (checked(header::NOW)?, checked(header::VMRUNS)?);
        let (resets, faults, events) =
            (word(header::RESETS)?, word(header::FAULTS)?, word(header::EVENTS)?);
        let Some(now) = now.filter(|now| (self.came.next..end).contains(now)) else {
            return Ok(false);
        };
        let progress = now > self.came.next || resets > self.came.counts.resets;
        self.came.next = now;
        self.came.counts =
            Counts { vmruns: vmruns.unwrap_or(self.came.counts.vmruns), resets, faults, events };
        Ok(progress)
    }

    /// Watches until QEMU has ended, or until there is something wrong with it, or no use in it.
    fn until_end(
        &mut self,
        running: &mut Running,
        qmp: &mut Qmp,
        mut gdb: Option<Gdb>,
        files: &Files,
    ) -> Result<Option<ExitStatus>> {
        let pid = Pid::from_child(running.child());
        let used = || family::look(pid).map_or(Duration::ZERO, |look| look.used);
        let (mut since, mut used_then) = (Instant::now(), used());
        let (mut revivals, mut revived_at) = (0, self.came.next);
        let started = Instant::now();
        let life = Duration::from_millis(200 + self.hand.below(2000));
        loop {
            let status = running.child().try_wait().doing(Kind::Harness, || "waiting".into())?;
            if status.is_some() {
                return Ok(status);
            }
            interrupt::check()?;
            if self.look()? {
                (since, used_then) = (Instant::now(), used());
            }
            if self.came.next > revived_at + RECOVERED {
                revivals = 0;
            }
            if self.machine.term && started.elapsed() > life {
                return self.terminate(running);
            }
            let limit = self.machine.mode.stuck();
            let stuck = since.elapsed() > limit && {
                let look = family::look(pid).unwrap_or_default();
                // One that waits for a core does neither.
                let asleep = look.threads.iter().all(|thread| thread.state == 'S');
                asleep || look.used.saturating_sub(used_then) > limit / 4
            };
            let done = if stuck && revivals == REVIVALS {
                return Ok(None);
            } else if stuck && self.replaying {
                self.came.what = Some(What::Diverged("the replay does not go on".into()));
                return Ok(None);
            } else if stuck {
                revivals += 1;
                revived_at = self.came.next;
                self.came.revivals += 1;
                (since, used_then) = (Instant::now(), used());
                ("bringing back a guest that is stuck".to_owned(), revive(qmp))
            } else {
                self.act(qmp, &mut gdb, files.folder.path())
            };
            if let (command, Err(e)) = done {
                return self.no_answer(running, format!("{command}: {e}"));
            }
            std::thread::sleep(TICK);
        }
    }

    /// Now and then, does something at the monitor or the gdbstub.
    fn act(
        &mut self,
        qmp: &mut Qmp,
        gdb: &mut Option<Gdb>,
        folder: &Path,
    ) -> (String, std::io::Result<()>) {
        if self.machine.beside == Beside::Nothing || self.hand.below(3) > 0 {
            return (String::new(), Ok(()));
        }
        self.came.deeds += 1;
        match gdb {
            Some(gdb) if self.hand.below(4) == 0 => {
                let count = self.hand.below(STEPS);
                (format!("{count} single steps"), beside::steps(gdb, count))
            }
            _ => self.hand.act(qmp, folder),
        }
    }

    /// Asks it to end, which it has to.
    fn terminate(&mut self, running: &mut Running) -> Result<Option<ExitStatus>> {
        running.signal(Signal::TERM);
        let patience = self.machine.patience;
        let ended = running.wait_within(patience).doing(Kind::Harness, || "waiting".into())?;
        if ended.is_none() {
            self.came.what = Some(What::IgnoresTerm);
        }
        Ok(ended)
    }

    /// A request got no answer: from one that has ended that is no wonder.
    fn no_answer(&mut self, running: &mut Running, why: String) -> Result<Option<ExitStatus>> {
        let grace = Duration::from_secs(5);
        let ended = running.wait_within(grace).doing(Kind::Harness, || "waiting".into())?;
        if ended.is_none() {
            self.came.what = Some(What::Deaf(why));
        }
        Ok(ended)
    }

    /// What came of it, in the end.
    fn finish(
        mut self,
        running: &mut Running,
        status: Option<ExitStatus>,
        stderr: File,
    ) -> Result<Came> {
        if status.is_none() {
            running.signal(Signal::KILL);
            running.wait().doing(Kind::Harness, || "waiting for QEMU".into())?;
        }
        self.look()?;
        // Whoever interrupts us kills it.
        interrupt::check()?;
        let words = ended::words(stderr);
        if let Some(what) = ended::judge(status, &words)? {
            self.came.what.get_or_insert(what);
        }
        if self.ram.u64(HEADER + header::STATE * 8)? == state::NO_SVM {
            let what = format!("{} offers no SVM", self.machine.qemu.path.display());
            return Err(crate::Error::new(Kind::Usage, what));
        }
        let done = self.ram.u64(HEADER + header::STATE * 8)? == state::DONE;
        let end = self.range.first + self.range.count;
        if done && self.came.what.is_none() && self.came.next + 1 == end {
            self.came.next = end;
        }
        Ok(self.came)
    }
}

/// Brings a guest that goes round in circles back to its reset vector: each request wants an
/// answer, and the last one comes behind the reset.
fn revive(qmp: &mut Qmp) -> std::io::Result<()> {
    for command in ["stop", "cont", "system_reset", "query-status"] {
        qmp.ask(command, json!({}))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_that_has_its_end_and_no_reset_by_us_can_be_replayed() {
        let range = Range { seed: 1, first: 10, count: 5, kinds: 0, keep: None };
        let good = Came { next: 15, ..Came::default() };
        assert!(good.can_be_replayed(&range));
        let revived = Came { revivals: 1, ..good.clone() };
        let short = Came { next: 14, ..good.clone() };
        let wrong = Came { what: Some(What::IgnoresTerm), ..good };
        for came in [revived, short, wrong] {
            assert!(!came.can_be_replayed(&range), "{came:?}");
        }
    }
}
