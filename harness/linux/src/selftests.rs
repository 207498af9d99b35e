//! Linux's KVM selftests, one after the other: those that the host has put into the
//! root folder.
//!
//! For each it says `begin NAME`, then comes what the test prints and what the kernel
//! warned of meanwhile, and then `end NAME exited CODE` or `end NAME signalled NUMBER`.
//! It stops none that does not end: the host sees that, and boots behind it.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};

use rustix::mount::MountFlags;
use rustix::process::{Pid, Signal, WaitOptions};

use crate::{Context, Result, report};

/// Where the tests are, and the file with one a line, name and arguments, in the order
/// of running.
const FOLDER: &str = "/selftests";
const LIST: &str = "/selftests/list";
/// What the tests look at: what is mounted, and where.
const MOUNTS: [(&str, &str); 5] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("debugfs", "/sys/kernel/debug"),
    ("tmpfs", "/tmp"),
    ("tmpfs", "/dev/shm"),
];

/// All of them; KVM is loaded.
pub(crate) fn run() -> Result<()> {
    for (what, at) in MOUNTS {
        fs::create_dir_all(at).doing(at)?;
        rustix::mount::mount(what, at, what, MountFlags::empty(), None).doing(at)?;
    }
    let list = fs::read_to_string(LIST).doing(LIST)?;
    // What the kernel said until now is on the console.
    kernel_warnings();
    for line in list.lines() {
        let (name, arguments) = line.split_once(' ').unwrap_or((line, ""));
        report::line(format_args!("begin {name}"));
        let end = one(name, arguments)?;
        for warning in kernel_warnings() {
            println!("kernel: {warning}");
        }
        let end = match end.signal() {
            Some(signal) => format!("signalled {signal}"),
            None => format!("exited {}", end.code().unwrap_or(-1)),
        };
        report::line(format_args!("end {name} {end}"));
    }
    Ok(())
}

/// Runs one to its end, and ends what it leaves behind.
fn one(name: &str, arguments: &str) -> Result<ExitStatus> {
    let mut command = Command::new(format!("{FOLDER}/{name}"));
    command
        .args(arguments.split_whitespace())
        .current_dir("/tmp")
        .stdin(Stdio::null())
        .process_group(0);
    let mut child = command.spawn().doing(name)?;
    let group = Pid::from_child(&child);
    let status = child.wait().doing(name)?;
    // Its children, if any, are ours now.
    let _ = rustix::process::kill_process_group(group, Signal::KILL);
    while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
    Ok(status)
}

/// `SYSLOG_ACTION_READ_CLEAR` of syslog(2).
const READ_CLEAR: libc::c_int = 4;
/// The level of a warning; what is graver the kernel prints on the console itself.
const WARNING: &str = "<4>";

/// What the kernel has warned of since it was asked last.
fn kernel_warnings() -> Vec<String> {
    let mut buffer = vec![0_u8; 1 << 20];
    // SAFETY: the kernel writes at most that many bytes to the buffer.
    let read = unsafe { libc::klogctl(READ_CLEAR, buffer.as_mut_ptr().cast(), 1 << 20) };
    buffer.truncate(usize::try_from(read).unwrap_or(0));
    let text = String::from_utf8_lossy(&buffer);
    text.lines().filter_map(|line| line.strip_prefix(WARNING)).map(str::to_owned).collect()
}
