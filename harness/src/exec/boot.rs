//! One QEMU with the guest in it, watched until it ends.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use svm_model::case::Board;
use svm_model::cpu::CpuSet;
use svm_model::wire::{EXIT_PORT, EXIT_VALUE, MAILBOX, header};
use wait4::Wait4;

use super::booted::{Boots, LIMIT};
use super::cpu_argument;
use super::guest::Guest;
use super::ram::Ram;
use super::ran::{Crash, End};
use super::watch::Watch;
use crate::host::error::Context;
use crate::host::interrupt;
use crate::host::process;
use crate::host::sanitizer;
use crate::qemu::Qemu;
use crate::{Kind, Result};

/// Its first memory BAR reads as zero, wherever it is put; it stands at device 8.
const MEMORY_DEVICE: &str = "pci-testdev,addr=8";

/// Between two looks at a guest that has not ended.
const POLL: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// The machine that guests boot in.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The QEMU binary.
    pub qemu: PathBuf,
    /// Its accelerator, `tcg` or `kvm`.
    pub accel: String,
    /// Folders for `-L`.
    pub firmware: Vec<PathBuf>,
    /// The guest.
    pub guest: Guest,
    /// How long a case may make no progress.
    pub limit: Duration,
}

/// How a boot ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The guest ended it; the mailbox says why.
    ByGuest,
    /// Something else did: we, when there was no progress in [`Machine::limit`],
    /// or QEMU itself, or somebody outside.
    Otherwise(End),
}

impl Machine {
    /// That QEMU under TCG, with that guest.
    pub fn new(qemu: &Qemu, guest: Guest) -> Machine {
        Machine {
            qemu: qemu.path.clone(),
            accel: "tcg".to_owned(),
            firmware: qemu.firmware.clone(),
            guest,
            limit: LIMIT,
        }
    }

    /// The command line for that CPU, board and RAM.
    pub fn command(&self, cpu: &str, board: Board, ram: &Ram) -> Command {
        let mut command = Command::new(&self.qemu);
        for folder in &self.firmware {
            command.arg("-L").arg(folder);
        }
        let size = ram.size();
        command
            .args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"])
            .args(["-machine", &format!("pc,accel={},memory-backend=ram", self.accel)])
            .args(["-cpu", cpu, "-m", &format!("{}M", size >> 20), "-object"])
            .arg(format!("memory-backend-file,id=ram,size={size},mem-path={},share=on", ram.path()))
            // Patches ROM code that we do not have.
            .args(["-global", "apic-common.vapic=off", "-bios"])
            .arg(&self.guest.rom)
            .args(["-device", &format!("isa-debug-exit,iobase={EXIT_PORT:#x},iosize=0x4")]);
        match board {
            Board::Small => command.args(["-smp", "1"]),
            Board::Large => command.args(["-smp", "2", "-device"]).arg(MEMORY_DEVICE),
        };
        command
    }

    /// Writes the guest into RAM.
    ///
    /// # Errors
    /// Harness, on I/O failures.
    pub(crate) fn load(&self, ram: &Ram) -> Result<()> {
        self.guest.segments.iter().try_for_each(|(pa, bytes)| ram.write(*pa, bytes))
    }
}

impl Boots for Machine {
    fn boot(&self, without: CpuSet, board: Board, ram: &Ram) -> Result<(Ended, Duration)> {
        self.load(ram)?;
        watched(self.command(&cpu_argument(without), board, ram), ram, self.limit)
    }
}

/// Runs what works on a batch in `ram`, and waits for its end; how it ended, and its
/// processor time if it did so by itself.
pub(crate) fn watched(
    mut command: Command,
    ram: &Ram,
    limit: Duration,
) -> Result<(Ended, Duration)> {
    let words =
        tempfile::tempfile().doing(Kind::Harness, || "making a file for QEMU's stderr".into())?;
    let stderr = words.try_clone().doing(Kind::Harness, || "copying a descriptor".into())?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
    let starting = || format!("starting {}", process::show(&command));
    let name = starting();
    let mut running = process::spawn(&mut command).doing(Kind::Harness, || name.clone())?;
    let pid = Pid::from_child(running.child());
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).doing(Kind::Harness, || name.clone())?;
    let mut watch = Watch::new(pid, limit);
    loop {
        let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
        if poll(&mut fds, Some(&POLL)).is_ok_and(|ready| ready > 0) {
            break;
        }
        interrupt::check()?;
        let done = ram.u32(MAILBOX + header::DONE)?;
        if let Some(why) = watch.stalled(done, Instant::now()) {
            return Ok((Ended::Otherwise(End::TimedOut(why)), Duration::ZERO));
        }
    }
    let used = running.child().wait4().doing(Kind::Harness, || name)?;
    interrupt::check()?;
    Ok((ended(used.status, words), used.rusage.utime + used.rusage.stime))
}

/// How a QEMU has ended, from its status and what it wrote to stderr.
pub(crate) fn ended(status: ExitStatus, words: File) -> Ended {
    let by_guest = (EXIT_VALUE << 1 | 1) as i32;
    let words = read(words);
    if let Some(report) = sanitizer::report(&words) {
        return Ended::Otherwise(End::Crashed(Crash::Qemu(report.to_owned())));
    }
    Ended::Otherwise(match (status.code(), status.signal()) {
        (Some(code), _) if code == by_guest => return Ended::ByGuest,
        // From outside; QEMU itself takes SIGTERM for a request to end, and exits with 0.
        (_, Some(signal @ (1 | 2 | 9 | 15))) => End::Killed(signal),
        (Some(0), _) => {
            let words = last_line(&words);
            if words.contains("terminating on signal") { End::Killed(15) } else { End::Shutdown }
        }
        _ => End::Crashed(Crash::Qemu(format!("{status}{}", colon(&last_line(&words))))),
    })
}

fn colon(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

/// The last line that QEMU wrote to stderr, or what a sanitizer said there.
pub(crate) fn last_words(words: File) -> String {
    let words = read(words);
    sanitizer::report(&words).map_or_else(|| last_line(&words), str::to_owned)
}

/// What QEMU wrote to stderr; nothing where it cannot be read.
fn read(mut words: File) -> String {
    let mut bytes = Vec::new();
    let read = words.rewind().and_then(|()| words.take(1 << 16).read_to_end(&mut bytes));
    if read.is_ok() { String::from_utf8_lossy(&bytes).into_owned() } else { String::new() }
}

fn last_line(text: &str) -> String {
    text.lines().rfind(|l| !l.trim().is_empty()).unwrap_or_default().trim().to_owned()
}
