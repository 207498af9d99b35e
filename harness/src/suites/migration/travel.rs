//! One case on its way from one QEMU to another.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use svm_model::case::Board;

use super::gdb::{Gdb, Stop};
use super::qmp::Qmp;
use crate::exec::boot::{self, Ended, Machine};
use crate::exec::ram::{self, Ram};
use crate::host::error::Context;
use crate::host::interrupt;
use crate::host::process;
use crate::{Kind, Result};

/// Longest silence of a QEMU before it is given up. On a busy machine it can
/// take long to come to the mark; a guest that has ended is seen at once.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long a QEMU that was told to end may take for it.
const FAREWELL: Duration = Duration::from_secs(10);

/// Where a case leaves its QEMU.
pub type Mark = Stop;

/// One QEMU and the CPU that its guest sees.
#[derive(Clone, Debug)]
pub struct Station {
    /// The QEMU, with the guest.
    pub machine: Machine,
    /// Its `-cpu` argument.
    pub cpu: String,
}

/// What became of a case that was to travel.
#[derive(Debug)]
pub enum Trip {
    /// It ended there, with that RAM.
    Through(Ram, Ended),
    /// It never left; why.
    Stayed(String),
}

/// Runs what lies in `ram` on `from` as far as the mark, and from there on `to`.
///
/// # Errors
/// Harness, when a QEMU cannot be started or watched; Interrupted.
pub fn travel(from: &Station, to: &Station, mark: Mark, ram: Ram) -> Result<Trip> {
    let folder = tempfile::tempdir()
        .doing(Kind::Harness, || "making a folder for a machine's state".into())?;
    let state = folder.path().join("state");
    from.machine.load(&ram)?;
    if let Some(why) = leave(from, mark, &ram, folder.path(), &state)? {
        return Ok(Trip::Stayed(why));
    }
    // All that it needs is in the file: it starts on memory of its own.
    let new = Ram::new(ram.size(), &ram::folders())?;
    let mut command = to.machine.command(&to.cpu, Board::Small, &new);
    command.args(["-incoming", &format!("file:{}", state.display())]);
    let (ended, _) = boot::watched(command, &new, to.machine.limit)?;
    Ok(Trip::Through(new, ended))
}

/// Runs to the mark and saves the machine to the file `state`; why not, if not.
fn leave(
    from: &Station,
    mark: Mark,
    ram: &Ram,
    folder: &Path,
    state: &Path,
) -> Result<Option<String>> {
    let mut command = from.machine.command(&from.cpu, Board::Small, ram);
    let name = process::show(&command);
    let doing = || format!("starting {name}");
    let socket = folder.join("gdb");
    let (monitor, theirs) = UnixStream::pair().doing(Kind::Harness, doing)?;
    let stderr = tempfile::tempfile().doing(Kind::Harness, doing)?;
    command
        .args(["-S", "-qmp", "stdio", "-gdb"])
        .arg(format!("unix:{},server=on,wait=off", socket.display()))
        .args(["-global", "migration.x-events=on"])
        // The guest goes on by itself where it arrives.
        .args(["-global", "migration.store-global-state=off"])
        .stdin(OwnedFd::from(theirs.try_clone().doing(Kind::Harness, doing)?))
        .stdout(OwnedFd::from(theirs))
        .stderr(stderr.try_clone().doing(Kind::Harness, doing)?);
    // Killed when it goes out of scope, unless it has left by itself.
    let mut running = process::spawn(&mut command).doing(Kind::Harness, doing)?;
    // Our copy of its end would keep the connection open behind it.
    drop(command);
    let left = save(monitor, &socket, mark, state);
    interrupt::check()?;
    let why = match left {
        Ok(true) => {
            // What is needed of it is in the file. One that counts its lines writes them
            // when it ends by itself.
            running.wait_within(FAREWELL).doing(Kind::Harness, doing)?;
            return Ok(None);
        }
        Ok(false) => "it ended without coming to its mark".to_owned(),
        Err(e) => format!("it did not get away from its mark: {e}"),
    };
    let words = boot::last_words(stderr);
    Ok(Some(if words.is_empty() { why } else { format!("{why}; QEMU says: {words}") }))
}

/// False if the guest ended before the mark.
fn save(monitor: UnixStream, socket: &Path, mark: Mark, state: &Path) -> io::Result<bool> {
    // With the monitor there, all sockets are.
    let mut qmp = Qmp::over(monitor, PATIENCE)?;
    let mut gdb = Gdb::connect(socket, PATIENCE)?;
    gdb.stop_at(mark)?;
    if !gdb.run_to_stop()? {
        return Ok(false);
    }
    gdb.pause()?;
    qmp.migrate_to(state)?;
    qmp.quit()?;
    Ok(true)
}
