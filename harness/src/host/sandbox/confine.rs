//! What the script of [`super::wrap`] calls: starts the program behind walls,
//! and ends as it does.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use rustix::process::{Pid, Signal};

use super::{Guard, Room, Sandbox, Way, wrapper};
use crate::host::error::Context;
use crate::host::process;
use crate::{Kind, Result};

/// Starts what `folder` describes, with `args`. Files that they name are shown
/// to it where they are; a socket's folder it can write. A file of the harness
/// that they name as `/proc/PID/fd/N` is handed to it open.
///
/// # Errors
/// Usage, when `folder` describes nothing; Harness, when it cannot be started.
pub fn confine(folder: &Path, args: &[OsString]) -> Result<ExitCode> {
    let wrapper::Settings { program, way, mut room } = wrapper::read(folder)?;
    let sandbox = Sandbox::of(way);
    room.shown.push(program.clone());
    let mut given = Vec::new();
    for arg in args {
        given.push(take_in(arg, &mut room, way)?);
    }
    room.shown.sort();
    room.shown.dedup();
    let mut command = sandbox.command(&room, &program);
    pass_on_environment(&mut command);
    command.args(&given);
    let doing = || format!("confining {}", program.display());
    // Not in a group of its own: whoever signals us means it as well. When we
    // die, the kernel kills it.
    let mut child = process::spawn_within(&mut command).doing(Kind::Harness, doing)?;
    let guard = Guard::over(Pid::from_child(&child), room.limits, room.written());
    let status = child.wait().doing(Kind::Harness, doing)?;
    if let Some(exceeded) = guard.verdict() {
        eprintln!("{}: {exceeded}", program.display());
    }
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    die_alike(code);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// What a program that is tested may be told by its environment.
fn pass_on_environment(command: &mut Command) {
    for name in ["ASAN_OPTIONS", "UBSAN_OPTIONS", "GCOV_PREFIX", "GCOV_PREFIX_STRIP"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
}

/// bubblewrap ends with 128 + N where the program was killed by signal N. We are
/// killed by it then, so that a crash looks like one from outside. A guest that
/// ends its QEMU with one of these codes would be mistaken; none of ours does.
fn die_alike(code: i32) {
    const SIGNALS: [Signal; 8] = [
        Signal::ILL,
        Signal::TRAP,
        Signal::ABORT,
        Signal::BUS,
        Signal::FPE,
        Signal::KILL,
        Signal::SEGV,
        Signal::XFSZ,
    ];
    let Some(signal) = SIGNALS.into_iter().find(|s| s.as_raw() + 128 == code) else { return };
    let no_core = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, no_core);
    let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
}

/// An argument as the program gets it; `room` grows by what it names.
fn take_in(arg: &OsStr, room: &mut Room, way: Way) -> Result<OsString> {
    let Some(text) = arg.to_str() else { return Ok(arg.to_owned()) };
    let mut out = String::new();
    for piece in text.split_inclusive([',', '=']) {
        let (value, end) = match piece.strip_suffix([',', '=']) {
            Some(value) => (value, &piece[value.len()..]),
            None => (piece, ""),
        };
        let (scheme, path) = match value.split_once(":/") {
            Some((scheme, _)) => value.split_at(scheme.len() + 1),
            None => ("", value),
        };
        out += scheme;
        match hand_in(scheme, Path::new(path), room, way)? {
            Some(new) => out += &new,
            None => out += path,
        }
        out += end;
    }
    Ok(out.into())
}

/// Shows one path; another name for it, where it gets one.
fn hand_in(scheme: &str, path: &Path, room: &mut Room, way: Way) -> Result<Option<String>> {
    if !path.is_absolute() {
        return Ok(None);
    }
    if is_descriptor(path) {
        return pass_open(path).map(Some);
    }
    if scheme == "unix:" {
        // Made by the program, and perhaps other files beside it.
        let folder = path.parent().unwrap_or(path);
        give(folder, way)?;
        room.open.push(folder.to_owned());
    } else if path.exists() && !within_open(path, room) {
        room.shown.push(path.to_owned());
    }
    Ok(None)
}

fn within_open(path: &Path, room: &Room) -> bool {
    room.open.iter().any(|open| path.starts_with(open))
}

/// A private folder of the harness becomes the program's own.
fn give(folder: &Path, way: Way) -> Result<()> {
    let temporary = folder.starts_with(std::env::temp_dir()) && folder != std::env::temp_dir();
    if let (Way::OtherUser(user), true) = (way, temporary) {
        std::os::unix::fs::chown(folder, Some(user), Some(user))
            .doing(Kind::Harness, || format!("handing over {}", folder.display()))?;
    }
    Ok(())
}

/// `/proc/PID/fd/N`.
fn is_descriptor(path: &Path) -> bool {
    let parts: Vec<&[u8]> = path.as_os_str().as_bytes().split(|&b| b == b'/').collect();
    matches!(parts[..], [b"", b"proc", _, b"fd", _])
}

/// Opens the file, for the program too, and says how that finds it.
fn pass_open(path: &Path) -> Result<String> {
    let doing = || format!("opening {}", path.display());
    let file = File::options().read(true).write(true).open(path).doing(Kind::Harness, doing)?;
    // Another user opens it again through our descriptor; it has no name.
    let modes = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    fs::File::set_permissions(&file, modes).doing(Kind::Harness, doing)?;
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).doing(Kind::Harness, doing)?;
    let place = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    // Open until the program has it, and we are gone.
    let _ = file.into_raw_fd();
    Ok(place.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arguments_name_is_shown_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let rom = dir.path().join("x.rom");
        fs::write(&rom, "").unwrap();
        let mut room = Room::default();
        let mut take = |arg: String| {
            take_in(arg.as_ref(), &mut room, Way::Namespace).unwrap().into_string().unwrap()
        };
        let bios = format!("{}", rom.display());
        assert_eq!(take(bios.clone()), bios);
        let drive = format!("file={},format=raw", rom.display());
        assert_eq!(take(drive.clone()), drive);
        let socket = format!("unix:{}/s/gdb,server=on", dir.path().display());
        assert_eq!(take(socket.clone()), socket);
        assert_eq!(take("max,+svm".into()), "max,+svm");
        assert_eq!(take("file:/nowhere/at/all".into()), "file:/nowhere/at/all");
        assert_eq!(room.shown, [rom.clone(), rom]);
        assert_eq!(room.open, [dir.path().join("s")]);
    }

    #[test]
    fn a_file_without_a_name_is_handed_on_open() {
        let file = tempfile::tempfile().unwrap();
        let path =
            format!("mem-path=/proc/{}/fd/{},share=on", std::process::id(), file.as_raw_fd());
        let mut room = Room::default();
        let arg = take_in(path.as_ref(), &mut room, Way::Namespace).unwrap();
        let arg = arg.into_string().unwrap();
        let number = arg.strip_prefix("mem-path=/proc/self/fd/").unwrap();
        assert!(number.ends_with(",share=on") && room.shown.is_empty(), "{arg}");
    }
}
