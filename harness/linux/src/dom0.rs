//! Xen's first domain: it starts what Xen's tools need, and for each kind of guest
//! one such guest, beside which its own processes are put under stress.
//!
//! What it finds it tells as `seen TEST RUNS FAILURES [WHY]`, TEST being
//! `PLACE/WHAT`: `alone` is before there is any guest.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::mount::MountFlags;

use crate::{Context, Result, beside, report};

/// What is mounted: what, where, as what.
const MOUNTS: [(&str, &str); 5] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("devpts", "/dev/pts"),
    ("tmpfs", "/run"),
];
/// What Xen's tools expect to be there.
const FOLDERS: [&str; 4] = ["/run/xen", "/run/xenstored", "/var/lib/xen", "/var/log/xen/console"];
/// What the kernel must have, in the order of loading; the host puts them there.
const MODULES: &str = "/modules";

/// All of it; `guests` and `rounds` are on the kernel's command line.
pub(crate) fn run() -> Result<()> {
    prepare()?;
    report::line("seen dom0/starts 1 0");
    let word = |name: &str| std::env::var(name).doing(name);
    let (guests, rounds) = (word("guests")?, word("rounds")?);
    let tools = word("tools")?;
    beside::stress("alone", &rounds)?;
    for kind in guests.split(',') {
        let guest = Guest { kind, tools: &tools };
        if let Err(why) = guest.xl(&["create", &format!("/guests/{kind}.cfg")]) {
            // What its device model said is for the log.
            let log = fs::read(format!("/var/log/xen/qemu-dm-{kind}.log")).unwrap_or_default();
            println!("{}", String::from_utf8_lossy(&log));
            report::line(format_args!("seen {kind}/starts 1 1 {why}"));
            continue;
        }
        beside::with_guest(kind, &rounds, &|| guest.progress())?;
        let (failures, why) = match guest.xl(&["destroy", kind]) {
            Ok(()) => (0, String::new()),
            Err(why) => (1, why),
        };
        report::line(format_args!("seen {kind}/ends 1 {failures} {why}"));
    }
    Ok(())
}

/// Mounts, modules, and Xen's daemons.
fn prepare() -> Result<()> {
    for (what, at) in MOUNTS {
        fs::create_dir_all(at).doing(at)?;
        rustix::mount::mount(what, at, what, MountFlags::empty(), None).doing(at)?;
    }
    for folder in FOLDERS {
        fs::create_dir_all(folder).doing(folder)?;
    }
    std::os::unix::fs::symlink("/run", "/var/run").doing("/var/run")?;
    let mut modules =
        fs::read_dir(MODULES).doing(MODULES)?.collect::<io::Result<Vec<_>>>().doing(MODULES)?;
    modules.sort_by_key(fs::DirEntry::file_name);
    for module in modules {
        let path = module.path();
        let file = fs::File::open(&path).doing(&path.display().to_string())?;
        rustix::system::finit_module(&file, c"", 0).doing(&path.display().to_string())?;
    }
    rustix::mount::mount("xenfs", "/proc/xen", "xenfs", MountFlags::empty(), None)
        .doing("mounting /proc/xen")?;
    let tools = std::env::var("tools").doing("tools")?;
    call(&tools, "xenstored", &[])?;
    call(&tools, "xen-init-dom0", &[])?;
    call(&tools, "xenconsoled", &["--log=guest", "--log-dir=/var/log/xen/console"])
}

/// Runs one of Xen's tools; a daemon puts itself into the background.
fn call(tools: &str, name: &str, args: &[&str]) -> Result<()> {
    let program = Path::new(tools).join(name);
    let mut command = Command::new(&program);
    command.args(args).env("PATH", tools).stdin(Stdio::null());
    let output = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .and_then(Child::wait_with_output);
    let output = output.doing(name)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // All of it is for the log, the first error is the reason.
    println!("{said}");
    let first = said.lines().find(|line| line.contains("error")).or(said.lines().next());
    let first = first.unwrap_or("no message");
    Err(format!("{name} {}: {}: {first}", args.join(" "), output.status))
}

/// A guest of that kind; it is called like its kind.
struct Guest<'a> {
    kind: &'a str,
    tools: &'a str,
}

impl Guest<'_> {
    /// Runs `xl`.
    fn xl(&self, args: &[&str]) -> Result<()> {
        call(self.tools, "xl", args)
    }

    /// What it has printed.
    fn console(&self) -> String {
        let path = format!("/var/log/xen/console/guest-{}.log", self.kind);
        fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// What it last said of how it gets on.
    fn progress(&self) -> Result<Option<String>> {
        let console = self.console();
        // The last line may not be complete.
        let lines = console.rsplit_once('\n').map_or("", |(lines, _)| lines);
        let said = lines.lines().rev().find_map(|line| line.split_once("svm-bench: load "));
        if self.xl(&["domid", self.kind]).is_err() {
            let last = lines.lines().rev().find(|line| !line.trim().is_empty());
            let last = last.unwrap_or("nothing was printed");
            return Err(format!("it is gone; its last line: {last}"));
        }
        Ok(said.map(|(_, said)| said.trim().to_owned()))
    }
}
